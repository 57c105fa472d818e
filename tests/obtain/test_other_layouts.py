"""Folders that other programs write are refused with what to do; folders of classes get no advice."""

import json
from pathlib import Path

import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.other_layouts import layout_advice
from deepsight.obtain.readers.unlabelled import load_unlabelled


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def write(root: Path, *names: str, text: str = "x") -> None:
    """Empty pictures, and texts for other files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.new("RGB", (8, 8)).save(path)
        else:
            path.write_text(text)


def numbered(pattern: str, n: int = 4) -> list[str]:
    return [pattern.format(i) for i in range(n)]


def yolo(root: Path) -> None:
    for part in ("train", "val"):
        write(root, *numbered(f"images/{part}/{{}}.png"))
        write(root, *numbered(f"labels/{part}/{{}}.txt"), text="0 0.5 0.5 0.2 0.2\n")


def yolo_by_part(root: Path) -> None:
    for part in ("train", "valid"):
        write(root, *numbered(f"{part}/images/{{}}.png"))
        write(root, *numbered(f"{part}/labels/{{}}.txt"), text="0 0.5 0.5 0.2 0.2\n")


def coco(root: Path) -> None:
    write(root, *numbered("images/{}.png"))
    write(root, "annotations/instances_train.json", text=json.dumps({"images": []}))


def saved_by_datasets(root: Path) -> None:
    write(root, "dataset_dict.json", "train/data-00000-of-00001.arrow", "train/state.json")
    write(root, "test/data-00000-of-00001.arrow", "test/state.json")


LAYOUTS = {
    "boxes around objects, in the format of YOLO": yolo,
    "objects, in the format of YOLO": yolo_by_part,
    "boxes around objects, in the format of COCO": coco,
    "--data hf:": saved_by_datasets,
    "TFRecord files": lambda root: write(root, "train/a.tfrecord-00000-of-00002", "test/b.tfrecord"),
    "an LMDB": lambda root: write(root, "data.mdb", "lock.mdb"),
    "HDF5 files": lambda root: write(root, "train.h5", "test.h5"),
    r"--data 'parquet:.*\*.parquet'": lambda root: write(root, "data/train-0.parquet"),
    r"--data table:.*labels.csv": lambda root: write(root, *numbered("images/{}.png"), "labels.csv"),
    r"Unpack its archives first \(cat.zip, dog.zip\)": lambda root: write(root, "cat.zip", "dog.zip"),
    r"webdataset:.*\*.tar": lambda root: write(root, "train-0.tar", "train-1.tar"),
    r"begin with the class \(cat, dog\)": lambda root: write(
        root, *numbered("cat.{}.png"), *numbered("dog.{}.png")
    ),
}


@pytest.mark.parametrize("said", LAYOUTS)
def test_another_layout_is_refused_with_what_to_do(tmp_path, said):
    root = tmp_path / "data"
    root.mkdir()
    LAYOUTS[said](root)
    with pytest.raises(DeepSightError, match=said):
        load_dataset(f"folder:{root}")


def test_pictures_in_train_and_test_themselves_are_no_two_classes(tmp_path):
    write(tmp_path / "data", *numbered("train/cat.{}.png"), *numbered("train/dog.{}.png"), "test/1.png")
    with pytest.raises(DeepSightError, match=r"within test, train .* begin with the class \(cat, dog\)"):
        load_dataset(f"folder:{tmp_path}/data")


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path / "data", *numbered("train/{}.png"), *numbered("bus/{}.png"))
    assert load_dataset(f"folder:{tmp_path}/data").train.classes == ("bus", "train")


def test_a_table_of_boxes_is_refused_with_what_to_do(tmp_path):
    boxes = {"images": [{"file_name": "1.png"}], "annotations": [{"id": 1}], "categories": [{"id": 1}]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    with pytest.raises(DeepSightError, match="boxes around objects, in the format of COCO"):
        load_dataset(f"table:{tmp_path}/boxes.json")


def test_a_folder_without_any_picture_is_refused_with_what_it_holds(tmp_path):
    write(tmp_path / "data", "data.mdb")
    with pytest.raises(DeepSightError, match="an LMDB"):
        load_unlabelled(tmp_path / "data", log=print)


def test_classes_of_images_and_labels_are_classes_where_both_hold_pictures(tmp_path):
    for name in ("images", "labels"):
        write(tmp_path / "data", *numbered(f"{name}/{{}}.png"))
    assert load_dataset(f"folder:{tmp_path}/data").train.classes == ("images", "labels")


def test_class_folders_with_stray_files_get_no_advice(tmp_path):
    write(tmp_path / "data", *numbered("cat/{}.png"), *numbered("dog/{}.png"), "cat/notes.txt")
    assert layout_advice(tmp_path / "data") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train.tfrecord", "does not read TFRecord"), ("a.csv.gz", "Unpack it"), ("list.txt", "as CSV"),
        ("a.feather", "as Parquet"), ("a.xlsx", "Save the sheet"), ("a.sqlite", "Export"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused_with_what_to_do(tmp_path, name, said):
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=said):
        load_dataset(f"table:{tmp_path / name}")


def test_a_bare_file_of_another_format_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "x.h5").write_text("x")
    with pytest.raises(UsageError, match="does not read HDF5"):
        load_dataset(str(tmp_path / "x.h5"))
