"""Decisions become a cleaned data set that the loaders read back; the given files are not touched."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.config import StudyConfig
from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.errors import UsageError
from deepsight.core.run import Run
from deepsight.obtain import load_dataset
from deepsight.workflows.apply_decisions import apply_decisions

CLASSES = ("ant", "bee")
STEP = 5  # between the grey levels of two images


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on arrays of which each image is one grey level, so that every image can be told."""
    n = 20
    images = np.repeat(STEP * np.arange(n, dtype=np.uint8), 8 * 8 * 3).reshape(n, 8, 8, 3)
    np.savez(
        tmp_path / "rows.npz", images=images, labels=np.arange(n) % 2, test_images=images + 100,
        test_labels=np.arange(n) % 2, classes=np.array(CLASSES),
    )  # fmt: skip
    return Run.create(tmp_path / "run", StudyConfig(data=f"arrays:{tmp_path / 'rows.npz'}").stored())


def decide(path: Path, *decisions: Decision) -> Path:
    write_decisions(path, decisions)
    return path


def test_labels_change_and_removed_images_are_left_out(run: Run, tmp_path: Path) -> None:
    said: list[object] = []
    file = decide(
        tmp_path / "decisions.csv",
        Decision("", 4, "train", "ant", "relabel", "bee", "Ada"),
        Decision("", 5, "val", "bee", "remove", "bee", "Ada"),
        Decision("", 6, "train", "ant", "unsure", "ant"),
    )
    cleaned = apply_decisions(run.path, file, tmp_path / "clean", log=said.append)
    got = load_dataset(cleaned.data)
    levels = (got.train.pixels()[:, 0, 0, 0] // STEP).tolist()
    assert levels == [level for level in range(20) if level != 5]
    assert got.train.labels.tolist() == [1 if level == 4 else level % 2 for level in levels]
    assert (got.test.pixels()[:, 0, 0, 0] == STEP * np.arange(20) + 100).all()
    assert got.train.classes == CLASSES
    about = json.loads((tmp_path / "clean/provenance.json").read_text())
    assert about["changes"] == {
        "train": {"relabel": 1, "remove": 1},
        "test": {"relabel": 0, "remove": 0},
    }
    assert (about["who"], about["decided"]["unsure"]) == (["Ada"], 1)
    assert not any("test set changes" in str(line) for line in said)


def test_a_change_of_the_test_set_is_said(run: Run, tmp_path: Path) -> None:
    said: list[object] = []
    file = decide(tmp_path / "d.csv", Decision("", 0, "test", "ant", "relabel", "bee"))
    cleaned = apply_decisions(run.path, file, tmp_path / "clean", log=said.append)
    assert any("1 images relabelled" in str(line) for line in said)
    assert load_dataset(cleaned.data).test.labels[0] == 1


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision("", 99, "train", "ant", "remove", "ant"), "id 99"),
        (Decision("", 0, "train", "bee", "remove", "bee"), "the data says 'ant'"),
        (Decision("", 0, "train", "ant", "relabel", "wasp"), "one of the classes"),
    ],
)
def test_a_decision_about_other_data_is_refused(
    run: Run, tmp_path: Path, decision: Decision, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        apply_decisions(run.path, decide(tmp_path / "d.csv", decision), tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_the_command_says_what_it_did_and_what_comes_next(run: Run, tmp_path: Path) -> None:
    file = decide(tmp_path / "d.csv", Decision("", 4, "train", "ant", "relabel", "bee"))
    done = CliRunner().invoke(app, ["apply", str(run.path), str(file), "--to", str(tmp_path / "clean")])
    assert done.exit_code == 0, done.output
    assert "train: 1 relabelled, 0 removed" in done.output
    assert f"--data arrays:{tmp_path / 'clean/cleaned.npz'}" in done.output.replace("\n", "")


def test_files_become_a_table_of_paths(tmp_path: Path) -> None:
    for i, name in enumerate(f"{c}/{j}.png" for c in CLASSES for j in range(12)):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (i * 10, 0, 0)).save(path)
    run = Run.create(tmp_path / "run", StudyConfig(data=f"folder:{tmp_path / 'photos'}").stored())
    got = load_dataset(f"folder:{tmp_path / 'photos'}")
    if getattr(got.train, "files", None) is None:
        pytest.skip("images have no names yet")
    image = int(got.train.ids[0])
    given = CLASSES[got.train.labels[0]]
    other = next(name for name in CLASSES if name != given)
    file = decide(tmp_path / "d.csv", Decision("", image, "train", given, "relabel", other))
    cleaned = apply_decisions(run.path, file, tmp_path / "clean")
    assert cleaned.data.startswith("table:")
    again = load_dataset(cleaned.data)
    assert len(again.test) == len(got.test)
    assert len(again.train) == len(got.train)


@pytest.fixture
def photos(tmp_path: Path) -> Run:
    """A run on 24 files that are kept whole, with their patients and sites."""
    lines = ["file_name,group,site"]
    for i, name in enumerate(f"{c}/{j}.png" for c in CLASSES for j in range(12)):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 24), (i * 10, 0, 0)).save(path)
        lines.append(f"{name},p{i // 2},{'NS'[i % 2]}")
    (tmp_path / "photos/metadata.csv").write_text("\n".join(lines))
    data = f"folder:{tmp_path / 'photos'}?fit=pad&side=12"
    return Run.create(tmp_path / "run", StudyConfig(data=data).stored())


def test_groups_metadata_and_options_stay(photos: Run, tmp_path: Path) -> None:
    before = load_dataset(photos.study()["data"])
    cleaned = apply_decisions(photos.path, decide(tmp_path / "d.csv"), tmp_path / "clean")
    after = load_dataset(cleaned.data)
    assert cleaned.data.endswith("cleaned.csv?fit=pad&side=12")
    for old, new in ((before.train, after.train), (before.test, after.test)):
        np.testing.assert_array_equal(old.pixels(), new.pixels())
        assert len(np.unique(old.groups)) == len(np.unique(new.groups))
        assert new.metadata.columns == ["site"]
        assert new.metadata["site"].to_list() == old.metadata["site"].to_list()


def test_a_decision_that_names_another_file_is_refused(photos: Run, tmp_path: Path) -> None:
    got = load_dataset(photos.study()["data"])
    image, name = int(got.train.ids[0]), str(got.train.files[0])
    given = CLASSES[got.train.labels[0]]
    fits = Decision(f"/elsewhere/photos/{name}", image, "train", given, "remove", given)
    apply_decisions(photos.path, decide(tmp_path / "d.csv", fits), tmp_path / "clean")
    other = Decision("ant/no.png", image, "train", given, "remove", given)
    with pytest.raises(UsageError, match=f"to be the file 'ant/no.png', but the data has '{name}'"):
        apply_decisions(photos.path, decide(tmp_path / "e.csv", other), tmp_path / "more")


def test_a_class_that_loses_all_its_images_is_said(run: Run, tmp_path: Path) -> None:
    said: list[object] = []
    removed = [Decision("", i, "train", "ant", "remove", "ant") for i in range(0, 20, 2)]
    apply_decisions(run.path, decide(tmp_path / "d.csv", *removed), tmp_path / "clean", log=said.append)
    assert any("No training image is left of 'ant'" in str(line) for line in said)


@pytest.mark.parametrize(
    ("split", "image", "part", "row"),
    [("all", 24, "test", 4), ("all", 3, "train", 3), ("train", 3, "train", 3)],
)
def test_decisions_on_another_examined_part_reach_its_images(
    run: Run, tmp_path: Path, split: str, image: int, part: str, row: int
) -> None:
    run.save_json("data.json", {"examined": {"split": split}})
    given, other = (CLASSES[row % 2], CLASSES[1 - row % 2])
    file = decide(tmp_path / "d.csv", Decision("", image, "test", given, "relabel", other))
    got = load_dataset(apply_decisions(run.path, file, tmp_path / "clean").data)
    changed = {name: np.flatnonzero(data.labels != np.arange(20) % 2).tolist()
               for name, data in got.named().items()}  # fmt: skip
    assert changed == {"train": [], "test": []} | {part: [row]}


def test_decisions_on_a_study_of_folds_find_the_part_by_the_id(tmp_path: Path) -> None:
    images = np.repeat(STEP * np.arange(40, dtype=np.uint8), 8 * 8 * 3).reshape(40, 8, 8, 3)
    np.savez(tmp_path / "rows.npz", images=images, labels=np.arange(40) % 2, classes=np.array(CLASSES))
    run = Run.create(tmp_path / "run", StudyConfig(data=f"arrays:{tmp_path / 'rows.npz'}").stored())
    got = load_dataset(f"arrays:{tmp_path / 'rows.npz'}")
    run.save_json("data.json", {**got.record, "examined": {"split": "all", "folds": 5}})
    chosen = int(got.train.ids[0]), int(got.test.ids[0])
    file = decide(
        tmp_path / "d.csv",
        *(Decision("", i, "test", CLASSES[i % 2], "remove", CLASSES[i % 2]) for i in chosen),
    )
    about = apply_decisions(run.path, file, tmp_path / "clean").provenance
    assert about["changes"] == {name: {"relabel": 0, "remove": 1} for name in ("train", "test")}
