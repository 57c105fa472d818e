"""Headers are read as the files were written, and damage is no error."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepsight.obtain.decoding.headers import image_headers
from photos import save_with_exif


def test_size_format_and_notes_are_those_that_were_written(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    save_with_exif(tmp_path / "a.jpg", image, camera="Acme One", taken="2024:05:01 10:00:00")
    Image.fromarray(image[..., 0]).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"no image")
    rows = image_headers([tmp_path / name for name in ("a.jpg", "b.png", "c.png", "d.png")])
    first, second, broken, absent = rows.to_dicts()
    assert (first["width"], first["height"], first["format"]) == (30, 20, "JPEG")
    assert first["camera"] == "Acme One"
    assert first["taken"] == datetime(2024, 5, 1, 10, tzinfo=UTC).timestamp()
    assert first["bytes"] == (tmp_path / "a.jpg").stat().st_size
    assert (second["mode"], second["camera"], second["taken"]) == ("L", None, None)
    assert set(broken.values()) == set(absent.values()) == {None}


@pytest.mark.parametrize(("orientation", "size"), [(1, (30, 20)), (6, (20, 30))])
def test_a_turned_image_has_its_sides_exchanged(tmp_path: Path, orientation: int, size: tuple) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert image_headers([tmp_path / "a.jpg"]).select("width", "height").row(0) == size
