"""Data sets of keras.datasets: proved by their files, kept, and refused with a sentence."""

import hashlib
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.readers import keras_sets
from deepsight.obtain.sources import SourceError


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A Keras whose mnist is forty greys, in a file whose digest is the expected one."""
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels = np.arange(60) % 10
    file = tmp_path / "keras/datasets/mnist.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"the published file")
    known = {"mnist.npz": ("sha256", hashlib.sha256(b"the published file").hexdigest())}
    monkeypatch.setitem(keras_sets.SETS, "mnist", replace(keras_sets.SETS["mnist"], files=known))
    module, calls = ModuleType("keras.datasets.mnist"), []
    module.load_data = lambda: calls.append(1) or ((images[:40], labels[:40]), (images[40:], labels[40:]))
    monkeypatch.setitem(sys.modules, "keras.datasets.mnist", module)
    return file, images, calls


def test_greys_become_rgb_and_are_kept(library):
    _, images, calls = library
    first, second = (load_dataset("keras:mnist", offline=True) for _ in range(2))
    assert len(calls) == 1
    np.testing.assert_array_equal(first.train.pixels()[..., 1], images[:40])
    np.testing.assert_array_equal(second.test.pixels()[..., 2], images[40:])
    assert first.train.classes == tuple("0123456789")
    assert first.record == second.record
    assert first.record["proved_by"]["mnist.npz"].startswith("sha256:")


def test_a_file_with_another_digest_is_refused(library):
    file, _, _ = library
    file.write_bytes(b"another file")
    with pytest.raises(DeepSightError, match=r"mnist\.npz has the wrong digest"):
        load_dataset("keras:mnist", offline=True)


def test_without_the_file_and_the_network_the_remedy_is_said(library, monkeypatch):
    file, _, _ = library
    file.unlink()
    with pytest.raises(DeepSightError, match=r"--offline is set\. Run once with internet access"):
        load_dataset("keras:mnist", offline=True)

    def silent(url):
        raise SourceError(f"{url} cannot be reached")

    monkeypatch.setattr(keras_sets, "require_answer", silent)
    with pytest.raises(DeepSightError, match="cannot be reached"):
        load_dataset("keras:mnist")


def test_a_damaged_cache_is_made_anew(library, tmp_path):
    first = load_dataset("keras:mnist", offline=True)
    pixels = tmp_path / "cache/keras/mnist/train_images.npy"
    content = pixels.read_bytes()
    pixels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert load_dataset("keras:mnist", offline=True).record == first.record


def test_other_sets_are_not_offered():
    with pytest.raises(UsageError, match="received 'imdb'"):
        load_dataset("keras:imdb")
    assert len(set(keras_sets.CIFAR100_CLASSES)) == 100
    assert list(keras_sets.CIFAR100_CLASSES) == sorted(keras_sets.CIFAR100_CLASSES)
