// The galleries besides the errors: near-duplicates, maps, labels that may be wrong, and outliers.
// The file of an image where it has a name, else its split and row.
const splitName = (split) => (split === "val" ? "validation" : split);
function imageName(split, index, file) {
  return file ?? `${splitName(split)} ${index}`;
}

// A tile that opens in the viewer, with what was decided about it.
function openable(canvas, words, image, open) {
  const button = element("button", { type: "button", className: "open" }, canvas);
  button.addEventListener("click", open);
  return element("li", {}, button, words, ...(image ? [badge(decisions, image)] : []));
}

const ENDS = ["a", "b"];
function duplicates({ sheet, across, records }) {
  const names = (record) => ENDS.map((end) => imageName(record[`split_${end}`], record[`index_${end}`], record[`file_${end}`]));
  const tiles = (place, labels, size) => labels.map((label, part) => tile({ sheet, across }, 3 * place + part, label, size));
  const items = records.flatMap((record, place) => ENDS.map((end, meant) => ({ record, place, end, meant })));
  const imageAt = ({ record, end }) => imageOf(record[`split_${end}`], record[`index_${end}`], record[`file_${end}`], record[`given_${end}`], record[`given_${end === "a" ? "b" : "a"}`]);
  const list = {
    items,
    image: imageAt,
    picture: ({ record, place, meant }) => pairOf(tiles(place, [...names(record), "difference"], 192), meant),
    facts: ({ record, end, meant }) => [["Image", names(record)[meant]], ["Split", splitName(record[`split_${end}`])], ["Given", record[`given_${end}`]], ["Near-duplicate", names(record)[1 - meant]], ["Its label", record[`given_${end === "a" ? "b" : "a"}`]], ["Kind", record.kind], ["Score", record.score.toFixed(3)]],
    note: ({ meant }) => `You decide on the ${meant ? "second" : "first"} image; the third picture is their difference.`,
  };
  paged(byId("near-duplicates"), byId("more-duplicates"), records, 12, (record, place) => {
    const [first, second, difference] = tiles(place, [...names(record), "difference"]);
    const parts = [first, second].map((canvas, meant) => {
      const button = element("button", { type: "button", className: "open" }, canvas);
      button.addEventListener("click", () => viewer.show(list, 2 * place + meant));
      return button;
    });
    const images = ENDS.map((end) => imageAt({ record, end })).filter(Boolean);
    const words = element("p", { textContent: `${names(record)[0]} and ${names(record)[1]} · ${record.kind} · score ${record.score.toFixed(3)}` });
    return element("li", {}, element("div", { className: "trio" }, ...parts, difference), words, ...images.map((image) => badge(decisions, image)));
  });
}

function maps(records) {
  paged(byId("maps"), byId("more-maps"), records, 8, (record) => {
    const words = `${record.true} → ${record.predicted}`;
    const picture = element("img", { src: gallery.pictures[record.file], loading: "lazy", alt: `Image ${record.image_file ?? record.index}, ${words}. From left to right: the image, the evidence for ${record.predicted}, for ${record.true}, and the difference.` });
    const share = record.object_share == null ? "no usable object mask" : `${percent(record.object_share)} of the evidence on the object`;
    const area = record.object_share == null || record.object_area == null ? "" : `, which covers ${percent(record.object_area)}`;
    const peak = record.object_share == null || record.peak_inside == null ? "" : ` · strongest cell ${record.peak_inside ? "on" : "off"} the object`;
    const mirror = record.mirror_agreement == null ? "" : ` · agreement with the mirrored image: ${record.mirror_agreement.toFixed(2)}`;
    return element("li", {}, picture, element("p", {}, element("b", { textContent: words }), ` · ${imageName(record.split, record.index, record.image_file)} · ${share}${area}${peak}${mirror}`));
  });
}

function suspectedLabels({ sheet, across, records }) {
  const image = (record) => imageOf(record.split, record.index, record.file, record.given, record.suggested);
  const words = (record) => `${imageName(record.split, record.index, record.file)}: given ${record.given}, suggested ${record.suggested}`;
  const items = records.map((record, place) => ({ ...record, place }));
  const list = {
    items,
    image,
    picture: (record) => tile({ sheet, across }, record.place, words(record), 256),
    facts: (record) => [["File", record.file], ["Image", imageName(record.split, record.index)], ["Given", record.given], ["Suggested", record.suggested], ["Score", record.score.toFixed(2)]],
  };
  paged(byId("candidates"), byId("more-candidates"), items, 20, (record, place) => {
    const text = element("p", {}, element("s", { textContent: record.given }), " ", element("b", { textContent: record.suggested }),
      element("br"), element("span", { className: "muted", textContent: `${imageName(record.split, record.index, record.file)} · score ${record.score.toFixed(2)}` }));
    return openable(tile({ sheet, across }, place, words(record)), text, image(record), () => viewer.show(list, place));
  });
}

function outliers({ sheet, across, records }) {
  const image = (record) => imageOf(record.split, record.index, record.file, record.given, record.predicted);
  const words = (record) => `${imageName(record.split, record.index, record.file)}: given ${record.given}`;
  const items = records.map((record, place) => ({ ...record, place }));
  const list = {
    items,
    image,
    picture: (record) => tile({ sheet, across }, record.place, words(record), 256),
    facts: (record) => [["File", record.file], ["Image", imageName(record.split, record.index)], ["Given", record.given], ["Predicted", record.predicted], ["Distance", record.score.toFixed(2)]],
  };
  paged(byId("outlier-tiles"), byId("more-outliers"), items, 24, (record, place) => {
    const text = element("p", {}, element("b", { textContent: record.given }), element("br"), element("span", { className: "muted", textContent: `${imageName(record.split, record.index, record.file)} · distance ${record.score.toFixed(2)}` }));
    return openable(tile({ sheet, across }, place, words(record)), text, image(record), () => viewer.show(list, place));
  });
}

// The given label of every image that this page lists, by name.
function knownLabels() {
  const known = new Map();
  for (const list of [gallery.errors, gallery.labels, gallery.outliers]) {
    for (const record of list?.records ?? []) known.set(`${record.split}-${record.index}`, record.given);
  }
  for (const record of gallery.duplicates?.records ?? []) {
    for (const end of ENDS) if (record[`given_${end}`] != null) known.set(`${record[`split_${end}`]}-${record[`index_${end}`]}`, record[`given_${end}`]);
  }
  return known;
}
