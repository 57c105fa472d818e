"""A folder of cached views keeps within its limit, and passes over what vanishes or belongs to others."""

import os
import time
from collections import namedtuple
from pathlib import Path

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import machine, part_name
from deepsight.model.feature_cache import FeatureCache, digest_file

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features", limit=300)


def written(cache: FeatureCache, key: str, number: int, *, age: float = 0.0) -> Path:
    """A view of 100 bytes that was last used so many seconds ago, with its digest."""
    path = cache.path(key, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    digest_file(path).write_text("digest", encoding="ascii")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_views_used_longest_ago_make_room(cache: FeatureCache) -> None:
    kept = [written(cache, "a", 0, age=10), written(cache, "b", 0)]
    oldest = written(cache, "b", 1, age=20)
    cache.make_room(100)
    assert sorted(path for _, _, path in cache.views()) == sorted(kept)
    assert not digest_file(oldest).exists()


def test_a_view_larger_than_the_limit_is_refused(cache: FeatureCache) -> None:
    view = written(cache, "a", 0)
    with pytest.raises(DeepSightError, match=r"at most 0 MB a view.*lower --resolution"):
        cache.make_room(301)
    assert view.exists()


def test_a_disk_without_room_is_refused(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepsight.model.feature_cache.shutil.disk_usage", lambda _: Usage(10, 10, 10))
    with pytest.raises(DeepSightError, match=r"room for cached maps.*DEEPSIGHT_CACHE"):
        cache.make_room(100)


def test_only_leftovers_of_killed_processes_are_removed(cache: FeatureCache) -> None:
    folder = cache.folder / "abc"
    folder.mkdir(parents=True)
    dead = folder / f".view-0.npy.{machine()}-{2**22 + 1}-abcd.part"
    live = folder / part_name("view-1.npy")
    for path in (dead, live):
        path.write_bytes(b"half")
    cache.make_room(100)
    assert (dead.exists(), live.exists()) == (False, True)


def test_views_that_vanish_meanwhile_are_passed_over(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, gone = written(cache, "a", 0), cache.folder / "gone" / "view-0.npy"
    monkeypatch.setattr(Path, "glob", lambda self, _: iter([gone, view]))
    assert [path for _, _, path in cache.views()] == [view]
    cache.remove(gone)


def test_only_a_view_with_its_digest_is_trusted(cache: FeatureCache) -> None:
    view = written(cache, "a", 0)
    assert not cache.holds(view)
    digest_file(view).unlink()
    assert not cache.holds(view)
