// Shared by all parts of the page: elements, pictures, downloads, and the light or dark theme.
const byId = (id) => document.getElementById(id);
const gallery = JSON.parse(byId("data-gallery").textContent);
const count = (number) => number.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A page opened from disk may have no storage; everything works without it.
function remember(key, value) {
  try { localStorage.setItem(key, value); return true; } catch { return false; }
}
function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

// Pictures by their path in the run folder, as bitmaps: an <img> would be decoded again for each tile.
const loaded = new Map();
function image(name) {
  if (!loaded.has(name)) {
    const picture = element("img", { src: gallery.pictures[name] });
    loaded.set(name, picture.decode().then(() => createImageBitmap(picture)));
  }
  return loaded.get(name);
}

// A tile of a sheet, cut out before it is enlarged, so that its neighbours do not bleed in.
function tile(list, place, label, size = 128) {
  const canvas = element("canvas", { width: size, height: size });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  if (!list.sheet) return canvas;
  image(list.sheet).then(async (sheet) => {
    const side = sheet.width / list.across;
    const [left, top] = [(place % list.across) * side, Math.floor(place / list.across) * side];
    if (top < sheet.height) canvas.getContext("2d").drawImage(await createImageBitmap(sheet, left, top, side, side), 0, 0, size, size);
  });
  return canvas;
}

// Shows the first items of a list; each press of the button shows as many more.
function paged(list, button, items, page, make) {
  let shown = 0;
  const more = () => {
    list.append(...items.slice(shown, shown + page).map((item, place) => make(item, shown + place)));
    shown += page;
    button.hidden = shown >= items.length;
  };
  button.addEventListener("click", more);
  more();
}

function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

for (const picture of document.querySelectorAll("[data-picture]")) {
  picture.loading = "lazy";
  picture.src = gallery.pictures[picture.dataset.picture];
}

for (const button of document.querySelectorAll("[data-csv]")) {
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    const name = button.dataset.csv;
    save(`${name}.csv`, await inflate(byId(`csv-${name}`).textContent.trim()));
  });
}

// Marks the stage on screen in the navigation.
const spy = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    document.querySelector(`nav a[href="#${target.id}"]`)?.toggleAttribute("aria-current", isIntersecting);
  }
}, { rootMargin: "-20% 0px -75%" });
document.querySelectorAll(".stage").forEach((stage) => spy.observe(stage));

const root = document.documentElement;
const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
if (recall("deepsight-theme")) root.dataset.theme = recall("deepsight-theme");
byId("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  remember("deepsight-theme", root.dataset.theme);
});
