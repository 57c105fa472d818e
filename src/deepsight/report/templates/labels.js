// Near-duplicates, maps, and the reader's decisions on labels that may be wrong.
// The file of an image where it has a name, else its split and row.
function imageName(split, index, file) {
  return file ?? `${split} ${index}`;
}

function duplicates({ sheet, across, records }) {
  paged(byId("near-duplicates"), byId("more-duplicates"), records, 12, (record, place) => {
    const names = [imageName(record.split_a, record.index_a, record.file_a), imageName(record.split_b, record.index_b, record.file_b), "difference"];
    const trio = element("div", { className: "trio" }, ...names.map((name, part) => tile({ sheet, across }, 3 * place + part, name)));
    return element("li", {}, trio, element("p", { textContent: `${names[0]} and ${names[1]} · ${record.kind} · score ${record.score.toFixed(3)}` }));
  });
}

function maps(records) {
  paged(byId("maps"), byId("more-maps"), records, 8, (record) => {
    const words = `${record.true} → ${record.predicted}`;
    const picture = element("img", { src: gallery.pictures[record.file], loading: "lazy", alt: `Image ${record.image_file ?? record.index}, ${words}. From left to right: the image, then its maps.` });
    const share = record.object_share == null ? "no usable object mask" : `${percent(record.object_share)} of the evidence on the object`;
    const area = record.object_share == null || record.object_area == null ? "" : `, which covers ${percent(record.object_area)}`;
    const peak = record.object_share == null || record.peak_inside == null ? "" : ` · strongest cell ${record.peak_inside ? "on" : "off"} the object`;
    const mirror = record.mirror_agreement == null ? "" : ` · agreement with the mirrored image: ${record.mirror_agreement.toFixed(2)}`;
    return element("li", {}, picture, element("p", {}, element("b", { textContent: words }), ` · ${imageName(record.split, record.index, record.image_file)} · ${share}${area}${peak}${mirror}`));
  });
}

const CHOICES = ["keep", "relabel", "unsure"];
function labelDecisions({ sheet, across, records }) {
  const key = `deepsight-decisions-${gallery.run}`;
  const decisions = JSON.parse(recall(key) ?? "{}");
  const name = (record) => `${record.split}-${record.index}`;
  function count() {
    const decided = records.filter((record) => decisions[name(record)]).length;
    byId("decided").textContent = `${decided} of ${records.length} decided`;
  }

  function choice(record, value) {
    const input = element("input", { type: "radio", name: `decide-${name(record)}`, value, checked: decisions[name(record)] === value });
    input.addEventListener("change", () => {
      decisions[name(record)] = value;
      remember(key, JSON.stringify(decisions));
      count();
    });
    return element("label", {}, input, value);
  }

  function candidate(record, place) {
    const words = `${imageName(record.split, record.index, record.file)}: given ${record.given}, suggested ${record.suggested}`;
    const choices = element("fieldset", {}, ...CHOICES.map((value) => choice(record, value)));
    choices.setAttribute("aria-label", `Decision on ${words}`);
    const text = element("p", {}, element("s", { textContent: record.given }), " ", element("b", { textContent: record.suggested }),
      element("br"), element("span", { className: "muted", textContent: `${imageName(record.split, record.index, record.file)} · score ${record.score.toFixed(2)}` }));
    return element("li", {}, tile({ sheet, across }, place, words), text, choices);
  }

  // A text that a spreadsheet might execute gets an apostrophe in front, as OWASP recommends.
  const guarded = (value) => typeof value === "string" && /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : String(value);
  const quoted = (value) => /[",\n\r]/.test(value) ? `"${guarded(value).replaceAll('"', '""')}"` : guarded(value);
  byId("export-decisions").addEventListener("click", () => {
    const lines = records.map((record) => [record.split, record.index, record.given, record.suggested, record.score, decisions[name(record)] ?? "", record.file ?? ""]);
    save("label_decisions.csv", [["split", "index", "given", "suggested", "score", "decision", "file"], ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n");
  });
  paged(byId("candidates"), byId("more-candidates"), records, 20, candidate);
  count();
}

if (gallery.duplicates?.sheet && byId("near-duplicates")) duplicates(gallery.duplicates);
if (gallery.maps && byId("maps")) maps(gallery.maps);
if (gallery.labels && byId("candidates")) labelDecisions(gallery.labels);
