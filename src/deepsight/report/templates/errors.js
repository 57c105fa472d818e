// The images behind the confusion matrix. The view is in the address: #errors?true=cat&predicted=dog
const PAGE = 48;
const form = byId("filters");

// The picture holds squares from left to right: the image, the map of the predicted class, further maps.
function mapPart(canvas, name) {
  image(name).then((picture) => {
    const side = picture.height;
    const parts = Math.floor(picture.width / side);
    const left = parts > 1 ? side + (picture.width - parts * side) / (parts - 1) : 0;
    canvas.getContext("2d").drawImage(picture, left, 0, side, side, 0, 0, canvas.width, canvas.height);
  });
}

function describe(record) {
  return `Row ${record.index}: ${record.true} predicted as ${record.predicted}, confidence ${percent(record.confidence)}`;
}

function errorBrowser({ sheet, across, records }) {
  const list = { sheet, across };
  records.forEach((record, place) => { record.place = place; });
  const viewer = byId("viewer");
  let [found, shown, opened] = [[], PAGE, null];

  for (const name of ["true", "predicted", "cause"]) {
    const values = [...new Set(records.map((record) => record[name]).filter(Boolean))].sort();
    form.elements[name].append(...values.map((value) => new Option(value, value)));
    form.elements[name].closest("label").hidden = !values.length;
  }
  form.elements.maps.closest("label").hidden = !records.some((record) => record.map);

  function filtered() {
    const wanted = (name) => form.elements[name].value;
    const chosen = records.filter((record) =>
      ["true", "predicted", "cause"].every((name) => !wanted(name) || record[name] === wanted(name)) &&
      record.confidence >= Number(wanted("least")));
    const by = { least: (a, b) => a.confidence - b.confidence, index: (a, b) => a.index - b.index };
    return chosen.sort(by[wanted("sort")] ?? ((a, b) => b.confidence - a.confidence));
  }

  function thumbnail(record, position) {
    const withMap = form.elements.maps.checked && record.map;
    const canvas = tile(withMap ? {} : list, record.place, describe(record));
    if (withMap) mapPart(canvas, record.map);
    const button = element("button", { type: "button", className: "open" }, canvas);
    button.addEventListener("click", () => open(position));
    const words = element("p", {}, element("b", { textContent: `${record.true} → ${record.predicted}` }), element("br"), percent(record.confidence));
    if (record.cause) words.append(element("br"), element("span", { className: "muted", textContent: record.cause }));
    return element("li", {}, button, words);
  }

  function draw() {
    found = filtered();
    form.querySelector("output").textContent = percent(Number(form.elements.least.value)).replace(".0", "");
    byId("shown").textContent = found.length === records.length
      ? `All ${records.length} errors.` : `${found.length} of ${records.length} errors.`;
    byId("tiles").replaceChildren(...found.slice(0, shown).map(thumbnail));
    byId("more").hidden = found.length <= shown;
  }

  function address(image) {
    const query = new URLSearchParams();
    for (const name of ["true", "predicted", "cause", "sort"]) if (form.elements[name].value) query.set(name, form.elements[name].value);
    if (Number(form.elements.least.value)) query.set("least", form.elements.least.value);
    if (form.elements.maps.checked) query.set("maps", "1");
    if (image != null) query.set("image", image);
    const text = query.toString();
    return `#errors${text ? `?${text}` : ""}`;
  }
  const note = (image) => history.replaceState(null, "", address(image));

  function open(position) {
    opened = position;
    const record = found[position];
    const facts = [["Row of test", record.index], ["True", record.true], ["Predicted", record.predicted], ["Confidence", percent(record.confidence)],
      ["Cause", record.cause], ["Support", record.support == null ? null : `${percent(record.support)}${record.calibrated ? ", calibrated" : ""}`], ["Because", record.because], ["Suggested label", record.suggested]];
    const terms = facts.filter(([, value]) => value != null && value !== "").flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]);
    const picture = form.elements.maps.checked && record.map
      ? element("img", { src: gallery.pictures[record.map], alt: `${describe(record)}. From left: the image, the maps.` }) : tile(list, record.place, describe(record), 256);
    const step = (by, words) => {
      const button = element("button", { type: "button", className: "quiet", textContent: words, disabled: !found[position + by] });
      button.addEventListener("click", () => open(position + by));
      return button;
    };
    const close = element("button", { type: "button", className: "quiet", textContent: "Close" });
    close.addEventListener("click", () => viewer.close());
    viewer.replaceChildren(picture, element("dl", {}, ...terms), element("div", { className: "tools" }, step(-1, "← Previous"), step(1, "Next →"), close));
    if (!viewer.open) viewer.showModal();
    note(record.index);
  }

  viewer.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && found[opened + by]) open(opened + by);
    if (event.key === "m" && !byId("filters").elements.maps.closest("label").hidden) {
      form.elements.maps.checked = !form.elements.maps.checked;
      draw();
      open(opened);
    }
  });
  viewer.addEventListener("close", () => { opened = null; note(); });

  function follow() {
    const [view, query = ""] = location.hash.slice(1).split("?");
    if (view !== "errors") return;
    const wanted = new URLSearchParams(query);
    for (const name of ["true", "predicted", "cause", "sort", "least"]) form.elements[name].value = wanted.get(name) ?? (name === "least" ? 0 : "");
    form.elements.maps.checked = wanted.has("maps");
    shown = PAGE;
    draw();
    byId("errors").scrollIntoView();
    const position = found.findIndex((record) => String(record.index) === wanted.get("image"));
    if (position >= 0) open(position);
  }

  form.addEventListener("input", () => { shown = PAGE; draw(); note(); });
  form.addEventListener("reset", () => setTimeout(() => { shown = PAGE; draw(); note(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => { shown += PAGE; draw(); });
  addEventListener("hashchange", follow);
  draw();
  follow();
}

// Arrow keys move through the matrix from one confusion to the next in that direction.
function matrixKeys(matrix) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  matrix.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    let [row, column] = [cell.parentElement.rowIndex, cell.cellIndex];
    do {
      row += step[0];
      column += step[1];
    } while (matrix.rows[row]?.cells[column] && !matrix.rows[row].cells[column].querySelector("a"));
    matrix.rows[row]?.cells[column]?.querySelector("a")?.focus();
  });
}

if (gallery.errors && form) errorBrowser(gallery.errors);
if (byId("matrix")) matrixKeys(byId("matrix"));
