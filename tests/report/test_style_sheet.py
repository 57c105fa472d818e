"""The colours of the page: text that can be read, and tones that colour-blind readers can tell apart.

Contrast after WCAG 2.2. Colour vision deficiency by the matrices of Machado, Oliveira and Fernandes (2009) at
full severity, in linear light; distance in CIELAB (1976).
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import deepsight.report

SHEET = (Path(deepsight.report.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
SCHEMES = ("light", "dark")
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(name: str, scheme: str) -> np.ndarray:
    """Linear RGB of a variable of the style sheet in one scheme."""
    value = re.search(rf"--{name}: (light-dark\((#\w+), (#\w+)\)|#\w+);", SHEET)
    assert value, name
    found = value[1] if value[2] is None else value[2 + SCHEMES.index(scheme)]
    digits = found[1:] if len(found) == 7 else "".join(2 * digit for digit in found[1:])
    channels = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first: np.ndarray, second: np.ndarray) -> float:
    low, high = sorted(float(XYZ[1] @ colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(colour: np.ndarray) -> np.ndarray:
    relative = XYZ @ np.clip(colour, 0, 1) / XYZ.sum(axis=1)
    f = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ink", ["ink", "muted", "link", "good", "bad"])
@pytest.mark.parametrize("paper", ["paper", "raised"])
def test_text_can_be_read(ink: str, paper: str, scheme: str):
    assert contrast(linear(ink, scheme), linear(paper, scheme)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_notices_can_be_read(scheme: str):
    assert contrast(linear("ink", scheme), linear("warn-paper", scheme)) >= 7


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_verdicts_and_groups_are_told_apart_by_colour_too(deficiency: str, scheme: str):
    """Colours that stand for opposite things: helps and harms, rigid and organic, treated and control."""
    seen = np.array(DEFICIENCIES[deficiency])
    for a, b in ((2, 5), (0, 1), (2, 6), (5, 6), (0, 6), (0, 5)):
        first, second = (lab(seen @ linear(f"tone-{tone}", scheme)) for tone in (a, b))
        assert np.linalg.norm(first - second) >= 15, (a, b)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_tones_are_different_to_most_readers(scheme: str):
    tones = [lab(linear(f"tone-{tone}", scheme)) for tone in range(7)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(tones, 2)) >= 20
