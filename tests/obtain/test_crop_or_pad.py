"""Oblong pictures: what a probe sees decides, and what is cut is said."""

import numpy as np
import pytest
from PIL import Image

from deepsight.core.stop import Stopped
from deepsight.obtain import crop_or_pad, load_dataset


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def write(root, sizes, n=30):
    """Grey pictures whose class shows at the right edge alone, as a bright or dark strip."""
    for c, name in enumerate(("dark", "light")):
        (root / name).mkdir(parents=True)
        for i in range(n):
            width, height = sizes[i % len(sizes)]
            image = np.full((height, width, 3), 128, dtype=np.uint8)
            image[:, width * 9 // 10 :] = 255 * c
            Image.fromarray(image).save(root / name / f"{i:02d}.png")
    return f"folder:{root}"


def edge_judge(pictures):
    """Right where the picture's brightest or darkest part gives the class away."""
    return {
        fit: np.array([(image.max() > 200) == c for image, c in zip(pixels, pictures.labels, strict=True)])
        for fit, pixels in pictures.pixels.items()
    }


def test_what_a_crop_would_lose_is_padded(tmp_path):
    said = []
    got = load_dataset(write(tmp_path / "p", [(60, 30), (45, 30)]), judge=edge_judge, log=said.append)
    assert got.record["fit"] == "pad"
    assert got.record["cut"] == 0
    compared = got.record["fit_comparison"]
    assert (compared["crop"], compared["pad"], compared["n"]) == (0.5, 1.0, 60)
    assert any("would cut 42% of each picture" in line and "so they are padded" in line for line in said)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_judge_learns_which_images_belong_together(tmp_path, grouped):
    write(tmp_path / "p", [(60, 30), (45, 30)])
    rows = [f"{c}/{i:02d}.png,{c},{i % 10 or ''}" for c in ("dark", "light") for i in range(30)]
    name = "group" if grouped else "note"
    (tmp_path / "p" / "t.csv").write_text("\n".join([f"path,label,{name}", *rows]))
    seen = []

    def judge(pictures):
        seen.append(pictures)
        return edge_judge(pictures)

    load_dataset(f"table:{tmp_path / 'p' / 't.csv'}", judge=judge)
    groups = seen[0].groups
    if not grouped:
        assert groups is None
    else:  # nine groups of six, and six images without one
        assert sorted(np.unique(groups, return_counts=True)[1]) == [1] * 6 + [6] * 9


def test_a_stop_ends_the_comparison(tmp_path, monkeypatch):
    def stopped(*_args, **_options):
        raise Stopped(15)

    monkeypatch.setattr(crop_or_pad, "decode_picture", stopped)
    with pytest.raises(Stopped):
        load_dataset(write(tmp_path / "p", [(60, 30), (45, 30)]), judge=edge_judge)


def test_pictures_of_one_shape_stay_whole(tmp_path):
    got = load_dataset(write(tmp_path / "p", [(60, 30)]), judge=edge_judge)
    assert got.record["fit"] == "whole"
    assert got.train.images.shape[1:3] == (30, 60)


def test_a_crop_that_sees_more_is_kept_and_the_cut_is_said(tmp_path):
    said = []

    def prefers_crops(pictures):
        return {fit: np.full(len(pictures.labels), fit == "crop") for fit in pictures.pixels}

    got = load_dataset(write(tmp_path / "p", [(60, 30), (45, 30)]), judge=prefers_crops, log=said.append)
    assert got.record["fit"] == "crop"
    assert got.record["cut"] == pytest.approx(0.42, abs=0.01)
    assert any("On average 42% of each picture" in line for line in said)


@pytest.mark.parametrize(
    ("sizes", "address"),
    [([(32, 30)], ""), ([(60, 30), (45, 30)], "?fit=crop")],
    ids=["nearly square", "asked"],
)
def test_nothing_is_compared_where_little_is_cut_or_a_fit_is_given(tmp_path, sizes, address):
    def never(pictures):
        raise AssertionError

    got = load_dataset(write(tmp_path / "p", sizes) + address, judge=never)
    assert got.record["fit"] == "crop"
    assert "fit_comparison" not in got.record
