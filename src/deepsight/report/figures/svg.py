"""Draws a figure as SVG: once wide and once narrow, so that its text is legible on a phone too.

Colours are variables of the page's style sheet, which has light, dark and print versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from deepsight.report.figures import scale
from deepsight.report.figures.marks import draw_series, put_element, put_text
from deepsight.report.figures.plot import Axis, Band, Figure, Panel
from deepsight.report.figures.scale import Scale

WIDE, NARROW = 900, 360
BESIDE = 600  # width in pixels from which panels are drawn beside each other
GAP, RIGHT, HEAD, FOOT, LINE = 28, 14, 24, 22, 14
EACH = 26  # height of a category in pixels


@dataclass(frozen=True)
class Box:
    """The plotting area of a panel, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


def draw_figure(figure: Figure) -> Markup:
    """The wide and the narrow drawing of a figure; the style sheet shows the one that fits."""
    return Markup(drawing(figure, WIDE, "wide") + drawing(figure, NARROW, "narrow"))


def drawing(figure: Figure, width: int, name: str) -> str:
    """The figure in this width, as text."""
    svg = Element("svg", {"class": name})
    beside = width >= BESIDE and not figure.stacked
    top = 0.0
    rows = [list(figure.panels)] if beside else [[panel] for panel in figure.panels]
    left = max(margin(row[0], letters_of(width)) for row in rows)
    for row in rows:
        top = draw_row(svg, row, top, left, width)
    svg.set("viewBox", f"0 0 {width} {top:.0f}")
    return tostring(svg, encoding="unicode")


def letters_of(width: float) -> int:
    """Letters per line of the labels on the left, which may take two fifths of the width."""
    return int(0.4 * width / scale.LETTER)


def draw_row(svg: Element, panels: Sequence[Panel], top: float, left: float, width: float) -> float:
    """Panels beside each other that share their y axis; returns where the next row begins."""
    letters = letters_of(width)
    each = (width - left - RIGHT - GAP * (len(panels) - 1)) / len(panels)
    bottom = top
    for place, panel in enumerate(panels):
        head = HEAD if panel.title or panel.y.title else LINE / 2
        box = Box(left + place * (each + GAP), top + head, each, panel_height(panel, letters))
        draw_panel(put_element(svg, "g"), panel, box, letters, labelled=place == 0)
        bottom = max(bottom, box.bottom + FOOT + (LINE + 6 if panel.x.title else 6))
    return bottom


def margin(panel: Panel, letters: int) -> float:
    """Pixels left of a panel for the labels of its y axis."""
    if panel.y.blank:
        return 2
    if panel.y.categories:
        lines = [line for label in panel.y.categories for line in scale.lines_of(label, letters)]
    else:
        lines = [text for _, text in scale.scale(panel.y, scale.along(panel, "y"), 0, 1).ticks(5)]
    return max(map(scale.text_width, lines), default=0) + 12


def panel_height(panel: Panel, letters: int) -> float:
    """Pixels of the plotting area."""
    if not panel.y.categories:
        return panel.height
    lines = max(len(scale.lines_of(label, letters)) for label in panel.y.categories)
    return len(panel.y.categories) * (EACH + LINE * (lines - 1))


def draw_panel(group: Element, panel: Panel, box: Box, letters: int, *, labelled: bool) -> None:
    """Bands and grid first, then the series."""
    x = scale.scale(panel.x, scale.along(panel, "x"), box.left, box.right)
    top = box.top + (LINE + 6 if any(band.name for band in panel.bands) else 0)  # curves stay below the names
    down = (box.top, box.bottom) if panel.y.categories else (box.bottom, top)
    y = scale.scale(panel.y, scale.along(panel, "y"), *down)
    for band in panel.bands:
        draw_band(group, band, x, box)
    draw_x_axis(group, panel.x, x, box)
    if panel.y.categories:
        draw_categories(group, y, box, letters, labelled=labelled)
    elif not panel.y.blank:
        draw_y_axis(group, y, box)
    for value in panel.rules:
        put_element(group, "path", cls="rule", d=f"M{x(value):.1f},{box.top:.1f}V{box.bottom:.1f}")
    put_text(group, panel.title or panel.y.title, box.left, box.top - 9, "title" if panel.title else "unit")
    for series in panel.series:
        draw_series(group, series, x, y)


def draw_band(group: Element, band: Band, x: Scale, box: Box) -> None:
    """A shaded range of x with its name at its top."""
    left, right = x(band.low), x(band.high)
    put_element(group, "rect", cls="band strong" if band.strong else "band", x=left, y=box.top,
        width=right - left, height=box.height)  # fmt: skip
    if scale.text_width(band.name) < right - left:
        put_text(group, band.name, left + 6, box.top + LINE, "unit")


def draw_x_axis(group: Element, axis: Axis, x: Scale, box: Box) -> None:
    """Vertical grid lines with their values below, and the title below these."""
    if not axis.blank:
        for place, text in x.ticks(int(box.width // 80)):
            put_element(group, "path", cls="grid", d=f"M{place:.1f},{box.top:.1f}V{box.bottom + 4:.1f}")
            put_text(group, text, place, box.bottom + 17, "tick middle")
    put_text(group, axis.title, box.left + box.width / 2, box.bottom + 36, "unit middle")


def draw_y_axis(group: Element, y: Scale, box: Box) -> None:
    """Horizontal grid lines with their values on the left."""
    for place, text in y.ticks(int(box.height // 45)):
        put_element(group, "path", cls="grid", d=f"M{box.left - 4:.1f},{place:.1f}H{box.right:.1f}")
        put_text(group, text, box.left - 8, place + 4, "tick end")


def draw_categories(group: Element, y: Scale, box: Box, letters: int, *, labelled: bool) -> None:
    """A faint line for each category, with its name on the left of the first panel."""
    for name in y.axis.categories:
        put_element(group, "path", cls="grid", d=f"M{box.left:.1f},{y(name):.1f}H{box.right:.1f}")
        lines = scale.lines_of(name, letters) if labelled else []
        for place, line in enumerate(lines):
            shift = LINE * (place - (len(lines) - 1) / 2)
            put_text(group, line, box.left - 10, y(name) + 4 + shift, "name end")
