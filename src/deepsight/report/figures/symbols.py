"""The symbols of the figures as SVG paths."""

import math

Point = tuple[float, float]
CORNERS = {
    "square": (4, 45),
    "diamond": (4, 0),
    "triangle": (3, -90),
    "hexagon": (6, 0),
    "pentagon": (5, -90),
}
NAMES = ("circle", *CORNERS, "cross", "x", "star", "tick")


def path(name: str, x: float, y: float, size: float) -> str:
    """The outline of a symbol about (x, y) that is `size` from its middle to its rim, all areas alike."""
    if name == "circle":
        half = f"a{size:.1f},{size:.1f},0,1,0,"
        return f"M{x - size:.1f},{y:.1f}{half}{2 * size:.1f},0{half}{-2 * size:.1f},0z"
    if name == "tick":
        return f"M{x:.1f},{y - 1.6 * size:.1f}v{3.2 * size:.1f}"
    corners = outline(name)
    return "M" + "L".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners) + "z"


def outline(name: str) -> list[Point]:
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
