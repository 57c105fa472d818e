"""The files of class folders: the order of ImageFolder, links that are followed, loops that end."""

import os
from pathlib import Path

import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from deepsight.obtain.readers.folder_walk import list_images
from deepsight.obtain.skipped_items import PassedOver


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def listed(root: Path) -> tuple[list[str], dict[str, int]]:
    passed_over = PassedOver()
    files = list_images(root, root, passed_over)
    return files.names, {record["what"]: record["n"] for record in passed_over.records()}


@pytest.mark.parametrize(
    "classes", [("dog", "dog-wild", "dog (toy)", "cat"), ("a", "a b", "a+", "a0", "A"), ("b", "b.c", "b/c")]
)
def test_the_order_is_that_of_imagefolder(tmp_path: Path, classes: tuple[str, ...]) -> None:
    for name in (*classes, "zebra"):
        for below in ("10.png", "9.png", "more/1.png", "more-yet/1.png", "more/deep/1.png", "B/x.png"):
            picture(tmp_path / name / below)
    names, _ = listed(tmp_path)
    assert names == [os.path.relpath(path, tmp_path) for path, _ in ImageFolder(tmp_path).samples]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    root, store = tmp_path / "data", tmp_path / "store"
    picture(root / "cat/0.png"), picture(store / "more/1.png"), picture(store / "dogs/2.png")
    (root / "dog").symlink_to(store / "dogs")  # a class
    (root / "cat/external").symlink_to(store / "more")  # a folder in a class
    (root / "cat/again").symlink_to(store / "more")  # the same once more
    (root / "cat/up").symlink_to(root)  # a loop
    (store / "more/back").symlink_to(root / "cat")  # a loop by another way
    (root / "cat/link.png").symlink_to(store / "dogs/2.png")
    (root / "self").symlink_to(root)
    names, passed = listed(root)
    assert names == ["cat/0.png", "cat/link.png", "cat/again/1.png", "dog/2.png"]
    assert passed == {
        "links that lead back to a folder above": 3,
        "links to folders that are listed already": 1,
    }


def test_runs_and_hidden_things_are_no_classes(tmp_path: Path) -> None:
    picture(tmp_path / "cat/1.png"), picture(tmp_path / "dog/1.png"), picture(tmp_path / "cat/.2.png")
    for place in ("runs/first", "cat/run", "out"):
        (tmp_path / place / "evidence").mkdir(parents=True)
        (tmp_path / place / "study.yaml").write_text("data: x")
        picture(tmp_path / place / "evidence/map.png")
    (
        picture(tmp_path / "beside.jpg"),
        picture(tmp_path / ".git/x.png"),
        picture(tmp_path / "__MACOSX/cat/1.png"),
    )
    names, passed = listed(tmp_path)
    assert names == ["cat/1.png", "dog/1.png"]
    assert passed == {
        "folders of DeepSight's own results": 3,
        "hidden pictures": 1,
        "pictures beside the class folders": 1,
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_cannot_be_opened_is_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cat/1.png"), picture(tmp_path / "cat/closed/2.png")
    (tmp_path / "cat/closed").chmod(0)
    names, passed = listed(tmp_path)
    (tmp_path / "cat/closed").chmod(0o755)
    assert names == ["cat/1.png"]
    assert passed == {"folders that cannot be opened": 1}


def test_what_the_system_refuses_to_list_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "cat/1.png"), picture(tmp_path / "cat/closed/2.png")
    scan = os.scandir

    def refusing(folder: Path):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    names, passed = listed(tmp_path)
    assert names == ["cat/1.png"]
    assert passed == {"folders that cannot be opened": 1}
