// The reader's decisions about single images: kept in the browser under the digest of the run, and as one CSV.
const COLUMNS = ["file", "id", "split", "given", "decision", "label", "who", "when"];
const VERDICTS = { keep: "k", relabel: "r", remove: "x", unsure: "u" };  // with the key of each
const SPLITS = ["train", "val", "test"];
const nameOf = (image) => `${image.split}-${image.id}`;

// The image of a row of a table, as decisions name it; none where its label is unknown.
function imageOf(split, id, file, given, suggested) {
  return given == null ? null : { split, id, file: file ?? "", given, suggested: suggested === given ? null : suggested ?? null };
}

// Decisions as the storage holds them; none where it holds something else.
function stored(text) {
  try { return new Map(Object.entries(JSON.parse(text ?? "{}"))); } catch { return new Map(); }
}

class Decisions {
  constructor(key) {
    this.key = key;
    this.listeners = [];
    this.known = stored(recall(key));
    this.kept = true;
    // Another tab with the same report shares the storage; its decisions are taken over at once.
    addEventListener("storage", (event) => {
      if (event.key !== key) return;
      this.known = stored(event.newValue);
      this.tell();
    });
  }

  get size() { return this.known.size; }
  of(image) { return this.known.get(nameOf(image)); }
  all() { return [...this.known.values()]; }
  listen(listener) { this.listeners.push(listener); }
  tell() { for (const listener of this.listeners) listener(); }

  decide(image, decision, label) {
    const { file, id, split, given } = image;
    this.put([{ file, id, split, given, decision, label: decision === "relabel" ? label : given, who: recall("deepsight-who") ?? "", when: now() }]);
  }

  // Adds decisions; those that are already there give way.
  put(decisions) {
    for (const one of decisions) this.known.set(nameOf(one), one);
    this.store();
  }

  forget(image) {
    if (this.known.delete(nameOf(image))) this.store();
  }

  clear() {
    this.known.clear();
    this.store();
  }

  store() {
    this.kept = remember(this.key, JSON.stringify(Object.fromEntries(this.known)));
    this.tell();
  }
}

const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");

// A text that a spreadsheet might execute gets an apostrophe in front, as OWASP recommends.
const guarded = (value) => /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
const unguarded = (value) => /^'[=+\-@\t\r\n]/.test(value) ? value.slice(1) : value;
const quoted = (value) => /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;

function csvOf(decisions) {
  const rows = decisions.map((one) => COLUMNS.map((name) => guarded(String(one[name] ?? ""))));
  return [COLUMNS, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

// The rows of a CSV, each with the number of its line.
function csvRows(text) {
  const rows = [];
  let [row, cell, inside, line, start] = [[], "", false, 1, 1];
  const end = () => {
    row.push(cell);
    if (row.length > 1 || row[0]) rows.push({ line: start, cells: row });
    [row, cell, start] = [[], "", line + 1];
  };
  const signs = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  for (let place = 0; place < signs.length; place++) {
    const sign = signs[place];
    if (inside) {
      if (sign === '"' && signs[place + 1] === '"') { cell += '"'; place++; }
      else if (sign === '"') inside = false;
      else cell += sign;
    } else if (sign === '"') inside = true;
    else if (sign === ",") { row.push(cell); cell = ""; }
    else if (sign === "\n" || sign === "\r") end();
    else cell += sign;
    if (sign === "\n") line++;
  }
  if (cell || row.length) end();
  return rows;
}

// Decisions in a CSV, and a sentence for each line that is none. Reports of earlier versions had other names.
function decisionsOf(text, known) {
  const [head, ...rows] = csvRows(text);
  const older = { index: "id", suggested: "label" };
  const names = (head?.cells ?? []).map((name) => older[name.trim()] ?? name.trim());
  const missing = ["id", "split", "given", "decision"].filter((name) => !names.includes(name));
  if (missing.length) return { found: [], wrong: [`The file has no column ${missing.join(", ")}.`] };
  const [found, wrong] = [[], []];
  for (const { line, cells } of rows) {
    const row = Object.fromEntries(names.map((name, place) => [name, unguarded((cells[place] ?? "").trim())]));
    if (!row.decision) continue;
    const why = whyNot(row, known);
    if (why) wrong.push(`Line ${line}: ${why}.`);
    else found.push(decisionOf(row));
  }
  return { found, wrong };
}

function decisionOf(row) {
  const decision = row.decision.toLowerCase();
  return { file: row.file ?? "", id: Number(row.id), split: row.split, given: row.given, decision, label: decision === "relabel" ? row.label : row.given, who: row.who ?? "", when: row.when ?? "" };
}

// What keeps a row from being a decision about this run; empty if nothing does.
function whyNot(row, known) {
  const verdict = row.decision.toLowerCase();
  if (!VERDICTS[verdict]) return `“${row.decision}” is not a decision`;
  if (!SPLITS.includes(row.split) || !/^\d+$/.test(row.id)) return "it does not name an image";
  if (verdict === "relabel" && (!row.label || row.label === row.given)) return "there is no new label";
  if (verdict === "relabel" && gallery.classes.length && !gallery.classes.includes(row.label)) return `“${row.label}” is not a class of this run`;
  const here = known.get(`${row.split}-${row.id}`);
  return here && here !== row.given ? `the label of ${row.split} ${row.id} is ${here} here, not ${row.given}` : "";
}

// The section that lists, exports, imports and clears the decisions.
class DecisionPanel {
  constructor(decisions, known) {
    [this.decisions, this.known] = [decisions, known];
    const who = byId("who");
    who.value = recall("deepsight-who") ?? "";
    who.addEventListener("input", () => remember("deepsight-who", who.value.trim()));
    byId("export-decisions").addEventListener("click", () => this.export());
    byId("import-decisions").addEventListener("change", (event) => this.import(event.target));
    byId("clear-decisions").addEventListener("click", () => this.clear());
    decisions.listen(() => this.draw());
    this.draw();
  }

  draw() {
    const all = this.decisions.all();
    const counts = Object.keys(VERDICTS).map((verdict) => [verdict, all.filter((one) => one.decision === verdict).length]).filter(([, n]) => n);
    byId("decided").textContent = all.length ? `${count(all.length)} decided: ${counts.map(([verdict, n]) => `${count(n)} ${verdict}`).join(", ")}.` : "Nothing decided yet.";
    byId("decision-count").textContent = all.length ? count(all.length) : "";
    byId("not-kept").hidden = this.decisions.kept;
    for (const id of ["export-decisions", "clear-decisions"]) byId(id).disabled = !all.length;
    byId("decision-list").hidden = !all.length;
    const newest = all.slice(-200).reverse();
    byId("decision-rows").replaceChildren(...newest.map((one) => this.row(one)));
  }

  row(one) {
    const undo = element("button", { type: "button", className: "quiet", textContent: "Undo" });
    undo.setAttribute("aria-label", `Undo the decision on ${imageName(one.split, one.id, one.file || null)}`);
    undo.addEventListener("click", () => { this.decisions.forget(one); byId("decisions").focus({ preventScroll: true }); });
    const cells = [imageName(one.split, one.id, one.file || null), one.given, one.decision === "relabel" ? `relabel: ${one.label}` : one.decision, one.who];
    return element("tr", {}, ...cells.map((text) => element("td", { textContent: text, className: "wrap" })), element("td", {}, undo));
  }

  export() {
    const who = byId("who").value.trim();
    save("decisions.csv", csvOf(this.decisions.all().map((one) => ({ ...one, who: one.who || who }))));
  }

  async import(input) {
    const [file] = input.files;
    if (!file) return;
    const { found, wrong } = decisionsOf(await file.text(), this.known);
    this.decisions.put(found);
    input.value = "";
    const more = wrong.length > 3 ? ` And ${wrong.length - 3} more lines.` : "";
    byId("imported").textContent = `${count(found.length)} decisions read from ${file.name}. ${wrong.slice(0, 3).join(" ")}${more}`;
  }

  clear() {
    if (confirm(`Forget all ${this.decisions.size} decisions in this browser?`)) this.decisions.clear();
  }
}

// What was decided about an image, on its tile; drawn anew whenever something is decided.
function badge(decisions, image) {
  const mark = element("span", { className: "badge" });
  const draw = () => {
    const one = decisions.of(image);
    mark.hidden = !one;
    mark.dataset.decision = one?.decision ?? "";
    mark.textContent = !one ? "" : one.decision === "relabel" ? `→ ${one.label}` : one.decision;
  };
  mark.redraw = draw;
  draw();
  return mark;
}
