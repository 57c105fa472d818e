// Images that an audit found something about, in their groups.
function imageLists(lists) {
  for (const place of document.querySelectorAll("[data-list]")) {
    const list = lists[place.dataset.list];
    if (!list) continue;
    const records = list.records.map((record, position) => ({ ...record, position }));
    for (const group of new Set(records.map((record) => record.group))) {
      const members = records.filter((record) => record.group === group);
      const tiles = element("ul", { className: "tiles" });
      tiles.setAttribute("aria-label", group || place.dataset.list);
      const more = element("button", { type: "button", textContent: "Show more" });
      if (group) place.append(element("h4", { textContent: group }));
      place.append(tiles, element("p", {}, more));
      paged(tiles, more, members, 12, (record) => element("li", {}, tile(list, record.position, record.name),
        element("p", {}, record.name, element("br"), element("span", { className: "muted", textContent: record.note }))));
    }
  }
}

if (gallery.lists) imageLists(gallery.lists);
