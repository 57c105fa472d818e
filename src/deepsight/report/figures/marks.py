"""Draws the series of a panel: symbols, intervals, lines and bars."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from deepsight.report.figures.plot import Bars, Dots
from deepsight.report.figures.scale import Scale
from deepsight.report.formatting import is_absent

Point = tuple[float, float]
CORNERS = {
    "square": (4, 45),
    "diamond": (4, 0),
    "triangle": (3, -90),
    "hexagon": (6, 0),
    "pentagon": (5, -90),
}
SYMBOL_NAMES = ("circle", *CORNERS, "cross", "x", "star", "tick")
DASHES = {"dash": "6 4", "dot": "1.5 4"}
BAR = 13  # pixels of height


@dataclass(frozen=True)
class Place:
    """One symbol of a series, in pixels, with the ends of its interval."""

    x: float
    y: float
    size: float
    hollow: bool
    ends: tuple[float, float] | None
    hint: str


def draw_series(group: Element, series: Dots | Bars, x: Scale, y: Scale) -> None:
    """Draw one series in its colour."""
    own = put_element(group, "g", cls="series", style=f"color:var(--tone-{series.tone})")
    if isinstance(series, Bars):
        draw_bars(own, series, x, y)
        return
    found = list(places(series, x, y))
    if series.line:
        path = "M" + "L".join(f"{place.x:.1f},{place.y:.1f}" for place in found)
        put_element(own, "path", cls="line", d=path, **{"stroke-dasharray": DASHES.get(series.line, "none")})
    if series.hints:
        for place in found:
            mark = put_element(own, "g", cls="mark")
            SubElement(mark, "title").text = place.hint
            draw_places(mark, series, [place])
    else:
        draw_places(own, series, found)


def draw_places(group: Element, series: Dots, found: Sequence[Place]) -> None:
    """Draw intervals and then symbols; symbols alike share one path, to keep the page small."""
    reaches = "".join(reach(series, place) for place in found if place.ends)
    if reaches:
        put_element(group, "path", cls="interval", d=reaches)
    for hollow in (False, True):
        outlines = [p for p in found if p.hollow is hollow and series.symbol]
        if outlines:
            look = "tick-mark" if series.symbol == "tick" else "hollow" if hollow else "full"
            paths = "".join(symbol_path(series.symbol, p.x, p.y, p.size) for p in outlines)
            put_element(group, "path", cls=look, d=paths)


def reach(series: Dots, place: Place) -> str:
    """The interval of a place as a path."""
    low, high = place.ends or (0.0, 0.0)
    if series.along == "x":
        return f"M{low:.1f},{place.y:.1f}H{high:.1f}"
    return f"M{place.x:.1f},{low:.1f}V{high:.1f}"


def places(series: Dots, x: Scale, y: Scale) -> Iterator[Place]:
    """The symbols of a series; missing values (None or NaN) have none."""
    measure = x if series.along == "x" else y
    for i, (across, up) in enumerate(zip(series.x, series.y, strict=True)):
        if across is None or up is None or is_absent(across) or is_absent(up):
            continue
        low = series.low[i] if series.low else None
        high = series.high[i] if series.high else None
        yield Place(
            x(across),
            y(up),
            series.size if isinstance(series.size, (int, float)) else series.size[i],
            series.hollow if isinstance(series.hollow, bool) else series.hollow[i],
            None if is_absent(low) or is_absent(high) else (measure(low or 0.0), measure(high or 0.0)),
            series.hints[i] if series.hints else "",
        )


def draw_bars(group: Element, bars: Bars, x: Scale, y: Scale) -> None:
    """Draw bars from 0, each in the middle of its category."""
    for i, (value, name) in enumerate(zip(bars.x, bars.y, strict=True)):
        mark = put_element(group, "g", cls="mark")
        if bars.hints:
            SubElement(mark, "title").text = bars.hints[i]
        put_element(
            mark, "rect", cls="bar", x=x(0.0), y=y(name) - BAR / 2, width=x(value) - x(0.0), height=BAR
        )


def legend_key(series: Dots) -> Markup:
    """The symbol of a series for the legend."""
    svg = Element(
        "svg", {"class": "key", "viewBox": "0 0 26 14", "style": f"color:var(--tone-{series.tone})"}
    )
    if series.line:
        put_element(
            svg, "path", cls="line", d="M0,7H26", **{"stroke-dasharray": DASHES.get(series.line, "none")}
        )
    hollow = series.hollow if isinstance(series.hollow, bool) else False
    if series.symbol:
        draw_places(svg, series, [Place(13, 7, 4.5 if series.symbol != "tick" else 3.5, hollow, None, "")])
    return Markup(tostring(svg, encoding="unicode"))


def put_element(parent: Element, tag: str, *, cls: str = "", **attributes: float | str) -> Element:
    """Add a child element; numbers are written to a tenth of a pixel."""
    written = {k: v if isinstance(v, str) else f"{v:.1f}" for k, v in attributes.items()}
    return SubElement(parent, tag, {"class": cls, **written} if cls else written)


def put_text(parent: Element, text: str, x: float, y: float, cls: str) -> None:
    """Add a text, unless it is empty."""
    if text:
        put_element(parent, "text", cls=cls, x=x, y=y).text = text


def symbol_path(name: str, x: float, y: float, size: float) -> str:
    """The outline of a symbol centred on (x, y) as an SVG path; `size` is its radius, and areas are alike."""
    if name == "circle":
        half = f"a{size:.1f},{size:.1f},0,1,0,"
        return f"M{x - size:.1f},{y:.1f}{half}{2 * size:.1f},0{half}{-2 * size:.1f},0z"
    if name == "tick":
        return f"M{x:.1f},{y - 1.6 * size:.1f}v{3.2 * size:.1f}"
    corners = symbol_outline(name)
    return "M" + "L".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners) + "z"


def symbol_outline(name: str) -> list[Point]:
    """Corners of a symbol about the origin."""
    if name == "star":
        return [polar(-90 + 36 * i, 1.35 if i % 2 == 0 else 0.55) for i in range(10)]
    if name == "cross":
        return plus(0)
    if name == "x":
        return plus(45)
    sides, start = CORNERS[name]
    reach = 1.2 if sides != 3 else 1.3
    return [polar(start + 360 * i / sides, reach) for i in range(sides)]


def plus(turn: float) -> list[Point]:
    """The twelve corners of a plus sign, turned by degrees."""
    quarter = [(0.38, -1.2), (0.38, -0.38), (1.2, -0.38)]
    return [spin(point, 90 * q + turn) for q in range(4) for point in quarter]


def polar(degrees: float, radius: float) -> Point:
    """A point by its angle, clockwise from the right, and its distance."""
    return radius * math.cos(math.radians(degrees)), radius * math.sin(math.radians(degrees))


def spin(point: Point, degrees: float) -> Point:
    """A point turned about the origin."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return c * point[0] - s * point[1], s * point[0] + c * point[1]
