"""New deep files are scaled as the training images were, or alike among themselves; never each by itself."""

from pathlib import Path

import numpy as np
from PIL import Image

from deepsight.obtain import load_dataset
from deepsight.obtain.decoding.high_bit_depth import tops_of_files


def write_deep(folder: Path, *values: int) -> list[Path]:
    """Flat 16-bit PNG files of these values."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{i}.png" for i in range(len(values))]
    for file, value in zip(files, values, strict=True):
        Image.fromarray(np.full((8, 8), value, np.uint16)).save(file)
    return files


def test_the_range_of_training_wins_over_a_dark_file(tmp_path: Path) -> None:
    files = write_deep(tmp_path, 300, 2000)
    known = {"PNG uint16": [4095.0]}
    assert tops_of_files(files, known) == dict.fromkeys(files, 4095)


def test_values_beyond_the_known_range_take_the_next_known_one_or_their_own(tmp_path: Path) -> None:
    files = write_deep(tmp_path, 300, 60_000)
    assert tops_of_files(files, {"PNG uint16": [4095.0, 65535.0]}) == {files[0]: 4095, files[1]: 65535}
    assert tops_of_files(files, {"PNG uint16": [4095.0]}) == {files[0]: 4095, files[1]: 65535}


def test_unknown_kinds_share_a_range_and_others_are_left_out(tmp_path: Path) -> None:
    files = write_deep(tmp_path, 300, 4000, 1900)
    flat = tmp_path / "flat.jpg"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(flat)
    broken = tmp_path / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:45])
    found = tops_of_files([*files, flat, broken, tmp_path / "absent.png"], {})
    assert found == dict.fromkeys(files, 4095)


def test_all_parts_of_a_data_set_share_a_range(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    for part, values in {"train": (4095, 3000, 2500), "test": (300, 900, 100)}.items():
        for name in ("a", "b"):
            write_deep(tmp_path / "data" / part / name, *values)
    got = load_dataset(f"folder:{tmp_path / 'data'}")
    expected = np.rint(np.array([300, 900, 100] * 2) * 255 / 4095)
    np.testing.assert_array_equal(got.test.pixels()[:, 0, 0, 0], expected)
    assert got.record["bit_depths"] == {"PNG uint16": [4095.0]}
