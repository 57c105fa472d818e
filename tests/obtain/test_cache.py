"""The cache folder, and arrays that are whole or absent."""

import os
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.errors import UsageError
from deepsight.obtain import cache
from deepsight.obtain.decoding.image_store import StoredImages, write_images
from deepsight.obtain.obtained import Part
from deepsight.obtain.sources import SourceError


def test_the_folder_follows_the_environment_then_the_platform(monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.cache_folder() == Path("/a")
    monkeypatch.delenv("DEEPSIGHT_CACHE")
    assert cache.cache_folder() == Path("/b/deepsight")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == cache.platform_cache() / "deepsight"


@pytest.mark.parametrize(
    ("platform", "tail"), [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")]
)
def test_each_platform_has_its_own_place(monkeypatch, platform, tail):
    monkeypatch.setattr(cache.sys, "platform", platform)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert cache.platform_cache() == Path.home() / tail


def test_an_array_comes_back_as_numpy_itself_reads_it(tmp_path):
    array = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    cache.save_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    mapped = cache.map_array(tmp_path / "a.npy")
    np.testing.assert_array_equal(mapped, array)
    assert isinstance(mapped, np.memmap)


def test_a_part_comes_back(tmp_path):
    part = Part(np.full((2, 4, 4, 3), 7, np.uint8), np.array([1, 0]))
    cache.save_part(tmp_path, "train", part)
    back = cache.map_part(tmp_path, "train")
    np.testing.assert_array_equal(back.images, part.images)
    np.testing.assert_array_equal(back.labels, part.labels)
    assert back.labels.dtype == np.int64


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="damaged"):
        cache.map_array(tmp_path / "a.npy")


def entry(folder: Path, name: str, size: int, used: float) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "images.npy").write_bytes(bytes(size))
    os.utime(folder / name, (used, used))
    return folder / name


def test_of_a_full_cache_what_was_used_longest_ago_goes_first(tmp_path):
    used = {"b": 1, "a": 2, "c": 3}
    old, middle, new = (entry(tmp_path / "own", name, 100, when) for name, when in used.items())
    (tmp_path / "own/c/.x.npy.0-0-a.part").write_bytes(b"of an earlier version")
    cache.keep_within(tmp_path / "own", limit=10**6, using=new)
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["a", "b", "c"]
    cache.note_use(old)
    cache.keep_within(tmp_path / "own", limit=150, using=new)
    assert [path.exists() for path in (old, middle, new)] == [False, False, True]


def test_an_entry_that_is_removed_can_still_be_read(tmp_path):
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    write_images(tmp_path / "own/a/images.npy", [pixels], image_shape=(4, 4, 3))
    stored = StoredImages(tmp_path / "own/a/images.npy")
    cache.keep_within(tmp_path / "own", limit=0, using=tmp_path / "own/b")
    assert not (tmp_path / "own/a").exists()
    np.testing.assert_array_equal(stored[:], pixels)


def test_no_home_is_said(monkeypatch):
    def no_home(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    for name in ("DEEPSIGHT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"none is known\. Set HOME"):
        cache.cache_folder()
