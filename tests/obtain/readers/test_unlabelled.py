"""Every picture of a folder is read, at any depth; nothing else is, and nothing in silence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain.readers.unlabelled import load_unlabelled


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def test_pictures_at_any_depth_are_read_in_order(tmp_path: Path) -> None:
    root, said = tmp_path / "new", []
    for i, name in enumerate(("b.png", "a/x.png", "a/y/z.PNG")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((10, 10, 3), 50 * i, np.uint8)).save(root / name, "PNG")
    (root / "notes.txt").write_text("no picture")
    (root / "a" / "broken.png").write_bytes(b"no picture")
    found = load_unlabelled(root, shape=(8, 8), log=said.append)
    assert found.data.files.tolist() == ["a/x.png", "a/y/z.PNG", "b.png"]
    assert found.data.pixels()[:, 0, 0, 0].tolist() == [50, 100, 0]
    assert [item["file"] for item in found.decoded.quarantined] == ["a/broken.png"]
    assert any("notes.txt" in str(line) for line in said)


def test_without_pictures_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DeepSightError, match="found none"):
        load_unlabelled(tmp_path / "empty", log=print)
    with pytest.raises(UsageError, match="a folder of pictures"):
        load_unlabelled(tmp_path / "absent", log=print)
