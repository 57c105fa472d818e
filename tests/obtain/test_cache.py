"""The cache folder, and arrays that are whole or absent."""

from pathlib import Path

import numpy as np
import pytest

from deepsight.obtain import cache
from deepsight.obtain.sources import Part, SourceError


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
