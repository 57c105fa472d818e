"""Pictures come from the run folder only, once, and within the bound."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepsight.core.run import PICTURES
from deepsight.report.embedded_images import Pictures, png_address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run" / PICTURES).mkdir(parents=True)
    (tmp_path / "run" / "a.png").write_bytes(b"picture a")
    (tmp_path / "run" / PICTURES / "errors.webp").write_bytes(b"sheet")
    (tmp_path / "secret.png").write_bytes(b"not of this run")
    return tmp_path / "run"


def test_a_picture_is_taken_whole(folder: Path):
    pictures = Pictures(folder)
    assert pictures.take("a.png") == "a.png"
    head, content = pictures.addresses["a.png"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content) == b"picture a"


def test_taking_twice_costs_once(folder: Path):
    pictures = Pictures(folder)
    pictures.take("a.png")
    left = pictures.budget
    pictures.take("a.png")
    assert pictures.budget == left


@pytest.mark.parametrize("name", [None, "", "absent.png", "../secret.png", "study.yaml", "/etc/hostname"])
def test_other_files_are_not_taken(folder: Path, name: str | None):
    pictures = Pictures(folder)
    assert pictures.take(name) is None
    assert not pictures.addresses
    assert not pictures.left_out


def test_what_does_not_fit_is_named(folder: Path):
    pictures = Pictures(folder, budget=20)
    assert pictures.take("a.png") is None
    assert pictures.left_out == ["a.png"]


def test_the_budget_is_that_of_all_pictures_together(folder: Path):
    (folder / "b.png").write_bytes(b"picture b")
    pictures = Pictures(folder, budget=50)
    assert pictures.take("a.png") == "a.png"
    assert pictures.take("b.png") is None
    assert pictures.left_out == ["b.png"]


def test_a_sheet_is_found_by_its_table(folder: Path):
    pictures = Pictures(folder)
    assert pictures.sheet("errors") == f"{PICTURES}/errors.webp"
    assert pictures.sheet("duplicates") is None


def test_drawn_pixels_read_back():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    content = base64.b64decode(png_address(pixels).split(",")[1])
    back = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(back, pixels)
