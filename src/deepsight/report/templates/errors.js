// The images behind the confusion matrix. The address holds the view: #errors?true=cat&predicted=dog
const PAGE = 42;
const ORDERS = {
  "": (a, b) => b.confidence - a.confidence,
  least: (a, b) => a.confidence - b.confidence,
  index: (a, b) => a.index - b.index,
  true: byName("true"),
  predicted: byName("predicted"),
  cause: byName("cause"),
};

// By name, then the most confident first.
function byName(field) {
  return (a, b) => String(a[field]).localeCompare(String(b[field])) || b.confidence - a.confidence;
}

function describe(record) {
  return `Image ${record.file ?? record.index}: ${record.true} predicted as ${record.predicted}, confidence ${percent(record.confidence)}`;
}

// The picture holds four squares from left to right, 4 pixels apart, with their names below: the image, and
// the maps for the predicted class, the true class and the difference.
function mapPart(canvas, name) {
  image(name).then((picture) => {
    const side = (picture.width - 3 * 4) / 4;
    canvas.getContext("2d").drawImage(picture, side + 4, 0, side, side, 0, 0, canvas.width, canvas.height);
  });
}

// What is known about an error, as terms and descriptions.
function facts(record) {
  return [
    ["File", record.file], ["Test image", record.index], ["True", record.true], ["Predicted", record.predicted],
    ["Confidence", percent(record.confidence)], ["Cause", record.cause],
    ["Support", record.support == null ? null : percent(record.support)],
    ["Because", record.because], ["Suggested label", record.suggested],
    ["Other causes", record.causes?.slice(1).join(", ")], ["Levers", record.evidence?.join("; ")],
  ];
}

class Filters {
  static choices = ["true", "predicted", "cause"];

  constructor(form, records) {
    this.fields = form.elements;
    for (const name of Filters.choices) {
      const values = [...new Set(records.map((record) => record[name]).filter(Boolean))].sort();
      this.fields[name].append(...values.map((value) => new Option(value, value)));
      this.fields[name].closest("label").hidden = !values.length;
    }
    this.hasMaps = records.some((record) => record.map);
    this.fields.maps.closest("label").hidden = !this.hasMaps;
  }

  get maps() { return this.hasMaps && this.fields.maps.checked; }
  set maps(on) { this.fields.maps.checked = on; }

  apply(records) {
    const passes = (record, name) => !this.fields[name].value || record[name] === this.fields[name].value;
    const least = Number(this.fields.least.value);
    this.fields.least.nextElementSibling.textContent = `${Math.round(100 * least)} %`;
    return records
      .filter((record) => Filters.choices.every((name) => passes(record, name)) && record.confidence >= least)
      .sort(ORDERS[this.fields.sort.value])
      .sort((a, b) => this.maps ? Boolean(b.map) - Boolean(a.map) : 0);
  }

  // The filters as the query of an address, and back again.
  query() {
    const query = new URLSearchParams();
    for (const name of [...Filters.choices, "sort"]) if (this.fields[name].value) query.set(name, this.fields[name].value);
    if (Number(this.fields.least.value)) query.set("least", this.fields.least.value);
    if (this.maps) query.set("maps", "1");
    return query;
  }

  follow(query) {
    for (const name of [...Filters.choices, "sort"]) this.fields[name].value = query.get(name) ?? "";
    this.fields.least.value = query.get("least") ?? 0;
    this.maps = query.has("maps");
  }
}

class ErrorBrowser {
  constructor(form, viewer, { sheet, across, records, training }) {
    this.list = { sheet, across };
    this.training = training;
    this.records = records.map((record, place) => ({ ...record, place }));
    this.filters = new Filters(form, records);
    this.viewer = viewer;
    form.addEventListener("input", () => this.change());
    form.addEventListener("reset", () => setTimeout(() => this.change()));
    form.addEventListener("submit", (event) => event.preventDefault());
    byId("more").addEventListener("click", () => this.draw(this.shown + PAGE));
    addEventListener("hashchange", () => this.follow());
    this.draw();
    this.follow();
  }

  change() {
    this.draw();
    this.note();
  }

  draw(shown = PAGE) {
    this.shown = shown;
    this.found = this.filters.apply([...this.records]);
    const [few, all] = [this.found.length, this.records.length];
    const mapped = this.found.filter((record) => record.map).length;
    const first = this.filters.maps ? ` The ${count(mapped)} with a map are shown first.` : "";
    byId("shown").textContent = (few === all ? `All ${count(all)} errors.` : `${count(few)} of ${count(all)} errors.`) + first;
    byId("tiles").replaceChildren(...this.found.slice(0, shown).map((record, position) => this.thumbnail(record, position)));
    byId("more").hidden = few <= shown;
  }

  picture(record, size) {
    const withMap = this.filters.maps && record.map;
    const canvas = tile(withMap ? {} : this.list, record.place, describe(record), size);
    if (withMap) mapPart(canvas, record.map);
    return canvas;
  }

  image(record) {
    return imageOf(record.split, record.index, record.file, record.given, record.suggested ?? record.predicted);
  }

  thumbnail(record, position) {
    const words = element("p", {}, element("b", { textContent: `${record.true} → ${record.predicted}` }), element("br"), percent(record.confidence));
    if (record.cause) words.append(element("br"), element("span", { className: "muted", textContent: record.cause }));
    return openable(this.picture(record), words, this.image(record), () => this.open(position));
  }

  open(position) {
    this.viewer.show({
      items: this.found,
      picture: (record) => this.large(record),
      facts,
      image: (record) => this.image(record),
      note: (record) => this.mapNote(record),
      below: (record) => this.behind(record),
      tools: (record) => this.mapSwitch(record),
      keys: { m: () => this.filters.hasMaps && this.switchMaps() },
      opened: (record) => this.note(record.index),
      closed: () => this.note(),
    }, position);
  }

  large(record) {
    if (!this.shownWhole(record)) return this.picture(record, 256);
    return element("img", { src: gallery.pictures[record.map], alt: `${describe(record)}. From left to right: the image, then its maps.` });
  }

  shownWhole(record) { return this.filters.maps && record.map; }

  // The training images whose absence moves the error most towards the true class.
  behind(record) {
    if (!record.behind?.length) return [];
    const shown = record.behind.map((image) => element("figure", {},
      tile(this.training, image.tile, `Training image ${image.index}, labelled ${image.label}`, 96),
      element("figcaption", { className: "small", textContent: `${image.label} (training image ${image.index})` })));
    const words = record.mended
      ? "Fixed by leaving out these training images, in a linear head on the model's features:"
      : "The training images that speak most for the wrong class, in a linear head on the model's features:";
    return [element("div", { className: "behind" }, element("p", { className: "small", textContent: words }), ...shown)];
  }

  mapNote(record) {
    if (this.shownWhole(record)) return `From left to right: the image, the evidence for ${record.predicted} (predicted), the evidence for ${record.true} (true), and the difference. Red is evidence for, blue against.`;
    return this.filters.maps ? "There is no map for this image." : "";
  }

  mapSwitch(record) {
    if (!record.map) return [];
    return [this.viewer.button("map", this.filters.maps ? "Hide the map (M)" : "Show the map (M)", () => this.switchMaps())];
  }

  switchMaps() {
    this.filters.maps = !this.filters.maps;
    const record = this.viewer.item;
    this.draw(this.shown);
    this.open(this.found.indexOf(record));
  }

  // Writes the view and the open image, if any, into the address.
  note(index) {
    const query = this.filters.query();
    if (index != null) query.set("image", index);
    history.replaceState(null, "", query.size ? `#errors?${query}` : "#errors");
  }

  follow() {
    const [view, query = ""] = location.hash.slice(1).split("?");
    if (view !== "errors") return;
    const wanted = new URLSearchParams(query);
    this.filters.follow(wanted);
    this.draw();
    byId("errors").scrollIntoView();
    const position = this.found.findIndex((record) => String(record.index) === wanted.get("image"));
    if (position >= 0) this.open(position);
  }
}

// Errors that another section points at, each a link to its view.
function strips({ sheet, across, records }) {
  const places = new Map(records.map((record, place) => [record.index, place]));
  for (const list of document.querySelectorAll("[data-strip]")) {
    const known = list.dataset.strip.split(" ").map(Number).filter((index) => places.has(index));
    list.append(...known.map((index) => {
      const [place, record] = [places.get(index), records[places.get(index)]];
      const link = element("a", { href: `#errors?image=${index}` }, tile({ sheet, across }, place, describe(record)));
      return element("li", {}, link, element("p", { textContent: `${record.true} → ${record.predicted}` }));
    }));
  }
}

// Arrow keys move to the next confusion in that direction.
function matrixKeys(matrix) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  matrix.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    if (!steps[event.key] || !cell) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    let [row, column] = [cell.parentElement.rowIndex, cell.cellIndex];
    let next;
    do {
      [row, column] = [row + down, column + right];
      next = matrix.rows[row]?.cells[column];
    } while (next && !next.querySelector("a"));
    next?.querySelector("a").focus();
  });
}
