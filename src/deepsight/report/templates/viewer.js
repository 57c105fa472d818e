// One image at a time: the picture, what is known of it, and the reader's decision.
// Keys: ← → move on; K keeps, R relabels, X removes, U is unsure, Backspace takes a decision back.
// A list has `items` and the functions `picture`, `facts`, `image` (what is decided about, or null), and may have
// `note`, `below`, `tools`, `keys` (by letter), `opened` and `closed`.
class Viewer {
  constructor(dialog, decisions) {
    [this.dialog, this.decisions] = [dialog, decisions];
    dialog.tabIndex = -1;
    this.body = element("div");
    this.live = element("p", { className: "hidden" });  // read out after each step
    this.live.setAttribute("role", "status");
    dialog.append(this.body, this.live);
    dialog.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("close", () => this.list.closed?.());
  }

  get item() { return this.list.items[this.place]; }
  get image() { return this.list.image(this.item); }

  show(list, place) {
    [this.list, this.place] = [list, place];
    const note = element("p", { className: "muted small", textContent: list.note?.(this.item) ?? "" });
    const look = element("div", { className: "look" }, element("div", {}, list.picture(this.item), note), termList(list.facts(this.item)));
    const tools = element("div", { className: "tools" }, this.progress(), ...(list.tools?.(this.item) ?? []), this.step(-1, "← Previous"), this.step(1, "Next →"), this.closing());
    const held = document.activeElement?.dataset?.hold;
    this.body.replaceChildren(look, ...(list.below?.(this.item) ?? []), ...this.choices(), tools);
    if (!this.dialog.open) this.dialog.showModal();
    (this.body.querySelector(`[data-hold="${held}"]:enabled`) ?? this.dialog).focus();  // the button of before is gone, but the keys must keep working
    list.opened?.(this.item);
  }

  // A button of the viewer; `hold` names it from one image to the next, so that it keeps the focus.
  button(hold, words, press, properties = {}) {
    const made = element("button", { type: "button", className: "quiet", textContent: words, ...properties });
    made.dataset.hold = hold;
    made.addEventListener("click", press);
    return made;
  }

  redraw() { this.show(this.list, this.place); }

  progress() {
    const images = this.list.items.map((item) => this.list.image(item)).filter(Boolean);
    const decided = images.filter((image) => this.decisions.of(image)).length;
    const said = `${count(this.place + 1)} of ${count(this.list.items.length)}${images.length ? `, ${count(decided)} decided` : ""}`;
    this.live.textContent = said;
    return element("span", { className: "muted progress", textContent: said });
  }

  // The buttons of the decision, with the class to relabel to; nothing where the label is unknown.
  choices() {
    if (!this.image) return [];
    const one = this.decisions.of(this.image);
    this.label = this.classes(one);
    const group = element("div", { className: "decide" }, ...Object.entries(VERDICTS).flatMap(([verdict, key]) => {
      const button = this.button(verdict, `${verdict[0].toUpperCase()}${verdict.slice(1)} `, () => this.decide(verdict), { className: "" });
      button.append(element("kbd", { textContent: key.toUpperCase() }));
      button.setAttribute("aria-pressed", String(one?.decision === verdict));
      button.setAttribute("aria-keyshortcuts", key);
      return verdict === "relabel" ? [button, this.label] : [button];
    }), ...(one ? [this.takingBack()] : []));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Your decision");
    return [group];
  }

  takingBack() {
    const button = this.button("back", "Take back ", () => this.takeBack());
    button.append(element("kbd", { textContent: "⌫" }));
    button.setAttribute("aria-keyshortcuts", "Backspace");
    return button;
  }

  takeBack() {
    this.decisions.forget(this.image);
    this.redraw();
  }

  classes(one) {
    const { given, suggested } = this.image;
    const wanted = one?.decision === "relabel" ? one.label : suggested;
    const select = element("select", {}, new Option("label…", ""), ...gallery.classes.filter((name) => name !== given).map((name) => new Option(name, name, false, name === wanted)));
    select.setAttribute("aria-label", "New label");
    select.addEventListener("change", () => { if (this.decisions.of(this.image)?.decision === "relabel" && select.value) this.decisions.decide(this.image, "relabel", select.value); });
    return select;
  }

  // Notes the decision and goes on to the next image.
  decide(verdict) {
    if (!this.image) return;
    if (verdict === "relabel" && !this.label.value) { this.label.focus(); return; }
    this.decisions.decide(this.image, verdict, this.label.value);
    const last = this.place + 1 >= this.list.items.length;
    this.show(this.list, last ? this.place : this.place + 1);
  }

  step(by, words) {
    return this.button(words, words, () => this.show(this.list, this.place + by), { disabled: !this.list.items[this.place + by] });
  }

  closing() {
    return this.button("close", "Close", () => this.dialog.close());
  }

  key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target === this.label) {  // letters choose a class here
      if (key === "Enter" && this.label.value) { event.preventDefault(); this.decide("relabel"); }
      return;
    }
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const verdict = Object.keys(VERDICTS).find((name) => VERDICTS[name] === key.toLowerCase());
    if (by && this.list.items[this.place + by]) this.show(this.list, this.place + by);
    else if (verdict) this.decide(verdict);
    else if (key === "Backspace" && this.image) this.takeBack();
    else if (this.list.keys?.[key.toLowerCase()]) this.list.keys[key.toLowerCase()]();
    else return;
    event.preventDefault();
  }
}

// Terms and descriptions, without those that are empty.
function termList(pairs) {
  const known = pairs.filter(([, value]) => value != null && value !== "");
  return element("dl", {}, ...known.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
}

// Two pictures beside each other, one of which is meant.
function pairOf(tiles, meant) {
  tiles[meant].classList.add("meant");
  return element("div", { className: "pair" }, ...tiles);
}
