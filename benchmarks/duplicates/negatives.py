"""Sets without near-duplicates that look full of them: digits, drawn digits, icons and words.

Every picture differs from every other one in what a person would call its content: another hand, another
time on the clock face, other colours of the same flag, another word. What a finder of near-duplicates flags
among them is a false alarm.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

Pixels = NDArray[np.uint8]
Set = tuple[Pixels, NDArray[np.int64]]  # images (n, h, w, 3) and labels (n,)
Colour = tuple[int, int, int]

PALETTE: list[Colour] = [
    (206, 17, 38), (0, 82, 165), (0, 122, 61), (252, 209, 22), (255, 255, 255), (20, 20, 20), (255, 130, 0),
    (120, 60, 160), (110, 190, 230), (150, 90, 50), (240, 150, 180), (130, 130, 130),
]  # fmt: skip
WORDS = [
    "angle", "apple", "arrow", "bench", "berry", "bridge", "candle", "carpet", "castle", "cherry",
    "circle", "cloud", "copper", "corner", "cotton", "dinner", "dragon", "engine", "falcon", "fabric",
    "finger", "forest", "garden", "ginger", "guitar", "hammer", "harbor", "helmet", "honey", "island",
    "jacket", "jungle", "kettle", "ladder", "lemon", "letter", "lizard", "magnet", "marble", "market",
    "mirror", "monkey", "mountain", "needle", "number", "ocean", "orange", "oyster", "paddle", "palace",
    "pencil", "pepper", "pillow", "planet", "pocket", "potato", "puzzle", "rabbit", "ribbon", "rocket",
    "saddle", "salmon", "school", "shadow", "silver", "spider", "spring", "squash", "statue", "summer",
    "temple", "ticket", "tiger", "tomato", "tunnel", "turtle", "valley", "velvet", "violin", "walnut",
    "window", "winter", "wizard", "yellow", "zebra",
]  # fmt: skip


def digits(n: int, side: int) -> Set:
    """Handwritten digits of 8 x 8 pixels (scikit-learn), as they are or enlarged."""
    data = load_digits()
    grey = (data.images[:n] * 15.9).astype(np.uint8)
    sized = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in grey]
    return np.stack([np.asarray(image.convert("RGB")) for image in sized]), data.target[:n].astype(np.int64)


def drawn_digits(n: int, side: int) -> Set:
    """Digits of one typeface, each turned, sheared, moved and sized in its own way."""
    rng = np.random.default_rng(0)
    return np.stack([drawn_digit(row % 10, rng, side) for row in range(n)]), np.arange(n) % 10


def drawn_digit(digit: int, rng: np.random.Generator, side: int) -> Pixels:
    image = Image.new("L", (56, 56))
    font = ImageFont.load_default(size=float(rng.uniform(32, 44)))
    ImageDraw.Draw(image).text((16, 6), str(digit), fill=255, font=font)
    across, down = (
        (1, *rng.uniform(-0.3, 0.3, 1), *rng.uniform(-6, 6, 1)),
        (*rng.uniform(-0.2, 0.2, 1), 1, *rng.uniform(-6, 6, 1)),
    )
    turned = image.rotate(float(rng.uniform(-25, 25)), Image.Resampling.BICUBIC)
    moved = turned.transform((56, 56), Image.Transform.AFFINE, (*across, *down), Image.Resampling.BICUBIC)
    return np.asarray(moved.resize((side, side), Image.Resampling.BICUBIC).convert("RGB"))


def icons(n: int, side: int) -> Set:
    """Flags, clock faces, hearts and faces: four classes whose members share all but a detail or a colour."""
    rng = np.random.default_rng(0)
    seen: set[bytes] = set()
    made: list[Pixels] = []
    while len(made) < n:
        image = (flag, clock, heart, face)[len(made) % 4](rng)
        if image.tobytes() not in seen:
            seen.add(image.tobytes())
            made.append(np.asarray(image.resize((side, side), Image.Resampling.LANCZOS)))
    return np.stack(made), np.arange(n) % 4


def colours(rng: np.random.Generator, count: int) -> list[Colour]:
    return [PALETTE[i] for i in rng.choice(len(PALETTE), count, replace=False)]


def canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (144, 144), (255, 255, 255))
    return image, ImageDraw.Draw(image)


def flag(rng: np.random.Generator) -> Image.Image:
    image, draw = canvas()
    first, second, third = colours(rng, 3)
    upright = rng.random() < 0.5
    for stripe, colour in enumerate((first, second, third)):
        box = (
            (10 + 42 * stripe, 28, 51 + 42 * stripe, 116)
            if upright
            else (10, 28 + 30 * stripe, 134, 57 + 30 * stripe)
        )
        draw.rectangle(box, fill=colour)
    draw.rectangle((10, 28, 134, 116), outline=(0, 0, 0), width=4)
    return image


def clock(rng: np.random.Generator) -> Image.Image:
    image, draw = canvas()
    draw.ellipse((16, 16, 128, 128), fill=(255, 255, 255), outline=colours(rng, 1)[0], width=8)
    for hour in range(12):
        end = 72 + 52 * np.array([np.sin(hour * np.pi / 6), np.cos(hour * np.pi / 6)])
        draw.ellipse((*(end - 3), *(end + 3)), fill=(0, 0, 0))
    time = rng.integers(144) / 12
    for turn, length, width in ((time / 12, 28, 7), (time % 1, 42, 4)):
        end = 72 + length * np.array([np.sin(2 * np.pi * turn), -np.cos(2 * np.pi * turn)])
        draw.line((72, 72, *end), fill=(0, 0, 0), width=width)
    return image


def heart(rng: np.random.Generator) -> Image.Image:
    image, draw = canvas()
    fill, mark = colours(rng, 2)
    angle = np.linspace(0, 2 * np.pi, 60)
    x, y = (
        16 * np.sin(angle) ** 3,
        13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle),
    )
    draw.polygon(list(zip(72 + 3.5 * x, 66 - 3.5 * y, strict=True)), fill=fill, outline=(0, 0, 0), width=4)
    if rng.random() < 0.7:
        place = 72 + rng.integers(-18, 19, 2)
        draw.ellipse((*(place - 8), *(place + 8)), fill=mark)
    return image


def face(rng: np.random.Generator) -> Image.Image:
    image, draw = canvas()
    draw.ellipse((16, 16, 128, 128), fill=(252, 209, 22), outline=(0, 0, 0), width=5)
    for middle in (52, 92):
        high = int(rng.integers(2, 12))
        draw.ellipse((middle - 6, 60 - high, middle + 6, 60 + high), fill=(0, 0, 0))
    left, right = np.sort(rng.integers(-40, 220, 2))
    draw.arc((44, 66, 100, 110), int(left), int(right) + 40, fill=(0, 0, 0), width=5)
    if rng.random() < 0.5:
        draw.ellipse((30, 78, 48, 92), fill=PALETTE[int(rng.integers(len(PALETTE)))])
    return image


def words(n: int, side: int) -> Set:
    """Two words each, black on white in one typeface; the class is the half of the alphabet of the first."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation([(a, b) for a in range(len(WORDS)) for b in range(len(WORDS)) if a != b])[:n]
    font = ImageFont.load_default(size=34.0)
    made = []
    for first, second in pairs:
        image, draw = canvas()
        draw.text((8, 26), WORDS[first], fill=(0, 0, 0), font=font)
        draw.text((8, 76), WORDS[second], fill=(0, 0, 0), font=font)
        made.append(np.asarray(image.resize((side, side), Image.Resampling.LANCZOS)))
    return np.stack(made), (pairs[:, 0] >= len(WORDS) // 2).astype(np.int64)


SETS: dict[str, Callable[[], Set]] = {
    "digits, 8 px": lambda: digits(1797, 8),
    "digits, 16 px": lambda: digits(1797, 16),
    "drawn digits, 28 px": lambda: drawn_digits(1500, 28),
    "icons, 64 px": lambda: icons(1500, 64),
    "words, 48 px": lambda: words(1500, 48),
}
