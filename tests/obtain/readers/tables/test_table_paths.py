"""Paths that lead nowhere are found by their last folders or beside the table, if only one reading fits."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from deepsight.core.errors import UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.readers.tables.table_paths import with_found_paths

FILES = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(4)]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Eight pictures in the folder `photos`."""
    for i, name in enumerate(FILES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * i,) * 3).save(path)
    return tmp_path


def found(base: Path, names: list[str]) -> tuple[list[str], list[str]]:
    """The paths as they are read, and what is said."""
    said: list[str] = []
    frame = pl.DataFrame({"path": names})
    return with_found_paths(base, frame, "path", said.append)["path"].to_list(), said


@pytest.mark.parametrize(
    "written",
    ["/home/ann/project/{}", "C:\\Users\\ann\\project\\{}", "project/{}", "/{}", "./elsewhere/{}"],
)
@pytest.mark.parametrize("inside", ["photos/", ""])
def test_folders_of_another_machine_are_left_out(base, written, inside):
    given = [written.format(f"{inside}{name}") for name in FILES]
    if "\\" in written:
        given = [name.replace("/", "\\") for name in given]
    names, said = found(base, given)
    assert names == [f"photos/{name}" for name in FILES]
    assert "photos/cat/0.png" in said[0]


def test_names_without_suffix_are_found_in_the_folder_of_pictures(base):
    shutil.rmtree(base / "photos/dog")
    names, said = found(base, [f"{i}" for i in range(4)])
    assert names == [f"photos/cat/{i}" for i in range(4)]
    assert "'0' is read as 'photos/cat/0'" in said[0]


def test_paths_that_lead_to_some_files_stay_as_they_are(base):
    given = ["photos/cat/0.png", "gone/1.png", "https://pictures.org/2.png"]
    assert found(base, given) == (given, [])


def test_a_few_files_may_be_missing(base):
    names, _ = found(base, [f"/old/{name}" for name in FILES] * 2 + ["/old/cat/9.png"])
    assert names[-1] == "photos/cat/9.png"


def test_names_in_several_folders_are_refused(base):
    with pytest.raises(UsageError, match=r"in several folders: photos/cat, photos/dog"):
        found(base, [f"{i}.png" for i in range(4)])


def test_different_files_never_become_one(base):
    shutil.rmtree(base / "photos/dog")
    with pytest.raises(UsageError, match="nor a file of that name"):
        found(base, [f"{side}/{i}.png" for side in ("left", "right") for i in range(4)])


def test_paths_to_nothing_are_refused_with_where_they_were_looked_for(base):
    with pytest.raises(UsageError, match=rf"there is no {base}/nowhere/9.png"):
        found(base, ["nowhere/9.png"])


def test_a_whole_table_of_another_machine_is_read(base, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(base / "cache"))
    rows = [{"path": f"/home/ann/{name}", "label": name[:3]} for name in FILES]
    pl.DataFrame(rows).write_csv(base / "labels.csv")
    whole = load_dataset(f"table:{base}/labels.csv").split("all")
    assert whole.files.tolist() == [f"photos/{name}" for name in FILES]
    assert whole.pixels()[:, 0, 0, 0].tolist() == [20 * i for i in range(8)]
