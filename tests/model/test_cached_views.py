"""Cached maps are those of a direct forward pass, found again by all they depend on, and never half there."""

import copy
import errno
import os
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import DeepSightError
from deepsight.model import cached_views as module
from deepsight.model.cached_views import CachedViews, frozen_maps
from deepsight.model.engine import ForwardEngine, using_settings
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.feature_cache import FeatureCache, digest_file
from deepsight.model.preprocess import Preprocessing
from deepsight.model.training.sampling import Mixing

HALF = (0.5, 0.5, 0.5)
PREPROCESSING = Preprocessing(32, "bicubic", True, HALF, HALF)
Usage = namedtuple("Usage", "total used free")


class Counted(nn.Module):
    """One frozen convolution that counts the images it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, stride=8)
        nn.init.normal_(self.conv.weight, generator=torch.Generator().manual_seed(1))
        nn.init.zeros_(self.conv.bias)
        self.seen = 0
        self.inputs: set[torch.dtype] = set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        self.inputs.add(x.dtype)
        return self.conv(x)


@pytest.fixture
def data(splits):
    return splits.train.select(np.arange(80))


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features")


def views_of(frozen, data, cache, **changes):
    given = {"preprocessing": PREPROCESSING, "seed": 0, "mixing": None} | changes
    return CachedViews(frozen, data, given.pop("preprocessing"), cache, **given)


def test_maps_equal_a_direct_forward_to_float16(data, cache):
    frozen = Counted()
    rows = np.array([70, 3, 3, 41])
    maps = views_of(frozen, data, cache).batch(0, rows)
    with torch.inference_mode():
        direct = frozen(PREPROCESSING(data.pixels(rows)))
    torch.testing.assert_close(maps, direct, rtol=2**-10, atol=1e-6)
    assert maps.dtype == torch.float32
    assert maps.is_contiguous(memory_format=torch.channels_last)


def test_maps_in_bfloat16_are_nearly_those_in_float32(data, cache):
    frozen, rows = Counted(), np.arange(80)
    exact = views_of(frozen, data, cache).batch(0, rows)
    views = views_of(frozen, data, cache, precision="bf16-mixed")
    rounded = views.batch(0, rows)
    assert not torch.equal(rounded, exact)
    assert frozen.inputs == {torch.float32}  # images are resized as ever
    torch.testing.assert_close(rounded, exact, rtol=2**-6, atol=2**-6 * float(exact.abs().max()))
    mixed = views.mixed(Mixing("mixup", 0.2)).batch(0, rows)
    assert torch.equal(mixed, mixed.bfloat16().float())


def test_a_view_is_filled_when_it_is_drawn_and_once(data, cache):
    frozen = Counted()
    views = views_of(frozen, data, cache)
    assert frozen.seen == 0
    views.batch(1, np.arange(4))
    filled = frozen.seen
    assert filled == 80 + 1  # one image tells the shape
    assert [p.name for p in cache.folder.glob("*/view-*.npy")] == ["view-1.npy"]
    views.batch(1, np.arange(80))
    views_of(frozen, data, cache).batch(1, np.arange(4))
    assert frozen.seen == filled


def test_other_views_are_other_maps(data, cache):
    views = views_of(Counted(), data, cache)
    rows = np.arange(80)
    assert (views.batch(1, rows) != views.batch(2, rows)).any()
    assert (views.batch(0, rows) != views.batch(1, rows)).any()


def test_the_key_names_all_that_the_maps_depend_on(data, cache, monkeypatch):
    other_trunk = Counted()
    with torch.no_grad():
        other_trunk.conv.bias[0] = 1e-3
    pixels = data.pixels()
    pixels[79, 31, 31, 2] ^= 1
    other_pixels = copy.copy(data)
    object.__setattr__(other_pixels, "images", pixels)
    keys = [
        views_of(Counted(), data, cache).key,
        views_of(other_trunk, data, cache).key,
        views_of(Counted(), other_pixels, cache).key,
        views_of(Counted(), data.select(np.arange(79)), cache).key,
        views_of(Counted(), data.select(np.arange(80)[::-1]), cache).key,
        views_of(Counted(), data, cache, seed=1).key,
        views_of(Counted(), data, cache, preprocessing=Preprocessing(64, "bicubic", True, HALF, HALF)).key,
        views_of(Counted(), data, cache, preprocessing=Preprocessing(32, "nearest", True, HALF, HALF)).key,
        views_of(Counted(), data, cache, mixing=Mixing("mixup", 0.2)).key,
        views_of(Counted(), data, cache, precision="bf16-mixed").key,
    ]
    monkeypatch.setattr(module, "definition", lambda: "other augmentation")
    keys.append(views_of(Counted(), data, cache).key)
    assert len(set(keys)) == len(keys)
    monkeypatch.undo()
    assert views_of(Counted(), data, cache).key == keys[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_an_interrupted_fill_leaves_is_not_trusted(data, cache, monkeypatch, error):
    frozen = Counted()
    monkeypatch.setattr(module, "BLOCK", 32)
    calls = []

    def broken(pixels, **given):
        calls.append(given["block"])
        if given["block"] == 2:
            raise error
        return pixels

    monkeypatch.setattr(module, "augmented", broken)
    with pytest.raises(error):
        views_of(frozen, data, cache).batch(1, np.arange(4))
    assert calls == [0, 1, 2]
    assert list(cache.folder.glob("*/*")) == []
    monkeypatch.undo()
    maps = views_of(frozen, data, cache).batch(0, np.arange(80))
    assert maps.abs().sum((1, 2, 3)).min() > 0


def test_a_view_larger_than_the_limit_is_refused(data, cache):
    with pytest.raises(DeepSightError, match=r"at most 0 MB a view.*lower --resolution"):
        views_of(Counted(), data, FeatureCache(cache.folder, limit=1000)).view(0)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied", "without its digest"])
def test_a_damaged_view_is_computed_again_and_said(data, cache, damage):
    said = []
    heard = FeatureCache(cache.folder, log=said.append)
    first = views_of(Counted(), data, heard)
    before = np.array(first.view(0))
    path = heard.path(first.key, 0)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "truncated":
        del content[-7:]
    elif damage == "emptied":
        content.clear()
    else:
        digest_file(path).unlink()
    path.write_bytes(content)
    np.testing.assert_array_equal(views_of(Counted(), data, heard).view(0), before)
    expected = [] if damage == "without its digest" else [f"{path} is damaged, so it is computed again."]
    assert said == expected
    frozen = Counted()
    views_of(frozen, data, heard).view(0)
    assert said == expected


def test_a_cache_that_may_only_be_read_serves_as_well(data, cache, monkeypatch):
    before = np.array(views_of(Counted(), data, cache).view(0))

    def refuse(*_, **__):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(module.os, "utime", refuse)
    np.testing.assert_array_equal(views_of(Counted(), data, cache).view(0), before)


def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(data, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("deepsight.core.files.atomic.os.fsync", full)
    with pytest.raises(DeepSightError, match="No space left"):
        views_of(Counted(), data, cache).view(0)
    assert list(cache.folder.glob("*/*")) == []


def check(holds: bool) -> None:
    assert holds


def test_every_image_is_verified_before_the_network_sees_it(data, cache, verified_batches):
    frozen = Counted()
    frozen.register_forward_pre_hook(
        lambda _, given: check(frozen.seen + len(given[0]) == sum(shape[0] for shape, _ in verified_batches))
    )
    with using_settings(EngineSettings(batch_pixels=64 * 32**2)):
        views_of(frozen, data, cache).view(1)
    assert sum(shape[0] for shape, _ in verified_batches) == frozen.seen == 81
    assert verified_batches[-1][1] == "train, view 1, block 0, image 64"


def test_maps_beyond_float16_are_refused(data):
    frozen = Counted()
    with torch.no_grad():
        frozen.conv.bias.fill_(1e6)
    with pytest.raises(DeepSightError, match=r"within ±65504.*the tenth"):
        frozen_maps(
            ForwardEngine(StageMapsGraph(frozen)), data.pixels(np.arange(3)), PREPROCESSING, "the tenth"
        )


def test_selected_rows_read_the_same_maps(data, cache):
    views = views_of(Counted(), data, cache)
    some = views.select(np.array([5, 50, 7]))
    assert len(some) == 3
    torch.testing.assert_close(some.batch(0, np.array([1])), views.batch(0, np.array([50])), rtol=0, atol=0)


def test_a_view_that_another_process_removes_is_computed_again(data, cache, monkeypatch):
    """Between the look at its digest and its opening, as where two processes make room in one cache."""
    before = np.array(views_of(Counted(), data, cache).view(0))
    holds, removals = FeatureCache.holds, iter([True, False])

    def held_and_gone(self, path):
        there = holds(self, path)
        if there and next(removals):
            self.remove(path)
        return there

    monkeypatch.setattr(FeatureCache, "holds", held_and_gone)
    frozen = Counted()
    np.testing.assert_array_equal(views_of(frozen, data, cache).view(0), before)
    assert frozen.seen > len(data)


def test_a_cache_that_never_keeps_a_view_is_said(data, cache, monkeypatch):
    monkeypatch.setattr(CachedViews, "_fill", lambda *_: None)
    with pytest.raises(DeepSightError, match="another process removes them"):
        views_of(Counted(), data, cache).view(0)
