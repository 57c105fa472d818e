"""The search over all official images: made once, shared by all studies, told of validation afterwards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Table
from deepsight.scrub.duplicates import official
from deepsight.scrub.duplicates.official import is_stored, official_duplicates, parts_digest, with_validation
from deepsight.scrub.duplicates.repeated_rows import repeated_rows

Parts = dict[str, Dataset]


@pytest.fixture(scope="module")
def parts(cifar10: tuple[Dataset, Dataset]) -> Parts:
    """Forty training rows; the last four test images are brighter copies of rows 30 to 33."""
    train = cifar10[0].select(np.arange(40))
    copies = (train.pixels(np.arange(30, 34)) * 0.8 + 30).astype(np.uint8)
    test = cifar10[1].select(np.arange(12))
    images = np.concatenate([test.pixels(np.arange(8)), copies])
    labels = np.concatenate([test.labels[:8], train.labels[30:34]])
    return {"train": train, "test": replace(test, images=images, labels=labels)}


@pytest.fixture(scope="module")
def folder(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / parts_digest(parts)


@pytest.fixture(scope="module")
def found(parts: Parts, folder: Path) -> Table:
    assert not is_stored(folder)
    return official_duplicates(parts, folder)


def test_the_copies_are_found_and_the_search_is_made_once(
    parts: Parts, folder: Path, found: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repeated_rows(found, of="test", within=("train",)).tolist() == [8, 9, 10, 11]
    assert is_stored(folder)
    monkeypatch.setattr(official, "find_duplicates", None)
    said: list[str] = []
    again = official_duplicates(parts, folder, log=said.append)  # type: ignore[arg-type]
    assert again.frame.equals(found.frame)
    assert again.caption == found.caption
    assert said == ["Near-duplicates among all 52 images: known from an earlier search."]


@pytest.mark.parametrize("name", ["duplicates.parquet", "index.json", "proof.txt"])
def test_a_damaged_result_is_searched_again(name: str, parts: Parts, folder: Path, found: Table) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole.replace(whole[9:10], b"\xff", 1))
    assert not is_stored(folder)
    assert official_duplicates(parts, folder).frame.equals(found.frame)
    assert is_stored(folder)


def test_other_pixels_and_other_rows_have_another_name(parts: Parts) -> None:
    train = parts["train"]
    pixels = train.pixels().copy()
    pixels[3, 0, 0, 0] ^= 1
    others = [replace(train, images=pixels), train.select(np.arange(39)), replace(train, ids=train.ids + 1)]
    names = {parts_digest({**parts, "train": other}) for other in [train, *others]}
    assert len(names) == 4
    assert parts_digest(parts) == parts_digest(dict(parts))


def test_rows_that_are_held_out_are_called_val(found: Table) -> None:
    told = with_validation(found, np.array([30, 31, 5]))
    assert repeated_rows(told, of="test", within=("train",)).tolist() == [10, 11]
    assert repeated_rows(told, of="val", within=("test",)).tolist() == [30, 31]
    flagged = told.frame.filter("flagged")
    assert set(flagged.select(pl.concat_list("split_a", "split_b").explode()).to_series()) <= {
        "train", "val", "test",
    }  # fmt: skip
    assert f"{len(flagged)} of them join two splits" in told.caption
