// Draws a chart when it comes near the window, in the colours of the page, and all of them before printing.
const charts = [...document.querySelectorAll(".chart")];

function colours() {
  const probe = element("span");
  document.body.append(probe);
  const resolved = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const found = { ink: resolved("ink"), rule: resolved("rule"), muted: resolved("muted"), paper: resolved("paper") };
  probe.remove();
  return found;
}

function themed(layout) {
  const { ink, rule, muted, paper } = colours();
  const change = { "font.color": ink, "hoverlabel.bgcolor": paper, "hoverlabel.font.color": ink, "hoverlabel.bordercolor": rule };
  for (const axis of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    change[`${axis}.gridcolor`] = rule;
    change[`${axis}.linecolor`] = rule;
    change[`${axis}.tickfont.color`] = muted;
    change[`${axis}.title.font.color`] = muted;
  }
  return change;
}

function set(target, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  keys.reduce((place, key) => (place[key] ??= {}), target)[last] = value;
}

// plotly.js takes a second to start, so it lies in the page as text until the first chart is needed.
function startPlotly() {
  if (!window.Plotly) document.head.append(element("script", { textContent: byId("plotly").textContent }));
}

function drawChart(chart) {
  if (chart.dataset.drawn) return;
  startPlotly();
  chart.dataset.drawn = "yes";
  const { data, layout } = JSON.parse(byId(`figure-${chart.id.slice("chart-".length)}`).textContent);
  for (const [path, value] of Object.entries(themed(layout))) set(layout, path, value);
  layout.font.family = getComputedStyle(document.body).fontFamily;
  window.Plotly.newPlot(chart, data, layout, { responsive: true, displayModeBar: false });
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawChart(entry.target);
}, { rootMargin: "600px" });

const repaint = () => charts.filter((chart) => chart.dataset.drawn).forEach((chart) => window.Plotly.relayout(chart, themed(chart.layout)));
let chosen;
document.addEventListener("themechange", repaint);
addEventListener("beforeprint", () => {
  chosen = root.dataset.theme;
  root.dataset.theme = "light";
  charts.forEach(drawChart);
  repaint();
});
addEventListener("afterprint", () => {
  if (chosen) root.dataset.theme = chosen; else delete root.dataset.theme;
  repaint();
});
charts.forEach((chart) => near.observe(chart));
