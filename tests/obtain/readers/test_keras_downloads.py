"""Keras's own loaders against a server on this machine: published files are used, others are refused."""

import gzip
import hashlib
import importlib
import inspect
import io
import os
import pickle
import struct
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlretrieve

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.obtain import load_dataset
from deepsight.obtain.readers import keras_sets

os.environ.setdefault("KERAS_BACKEND", "torch")
file_utils = pytest.importorskip("keras.src.utils.file_utils")
ARCHIVE = "cifar-100-python.tar.gz"
RNG = np.random.default_rng(0)
GREYS = RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (240, 3, 32, 32), dtype=np.uint8)
CUT = {"mnist": 40, "fashion_mnist": 40, "cifar100": 200}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server offers, from which Keras downloads."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"

    def fetch(url: str, target: str, hook: object) -> object:
        return urlretrieve(base + url.rpartition("/")[2], target)

    monkeypatch.setattr(file_utils, "urlretrieve", fetch)
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(file_utils.config, "_KERAS_DIR", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    for name, known in keras_sets.SETS.items():
        monkeypatch.setitem(
            keras_sets.SETS, name, replace(known, origin=base + known.origin.rpartition("/")[2])
        )
    yield folder
    server.shutdown()
    server.server_close()


def idx(array: np.ndarray) -> bytes:
    """An array in the IDX format of MNIST, compressed."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def published(name: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files that a server offers for a set, and those that are checked."""
    cut, labels = CUT[name], np.arange(60) % 10
    if name == "mnist":
        text = io.BytesIO()
        np.savez(text, x_train=GREYS[:cut], y_train=labels[:cut], x_test=GREYS[cut:], y_test=labels[cut:])
        return {"mnist.npz": text.getvalue()}, {"mnist.npz": text.getvalue()}
    if name == "fashion_mnist":
        parts = {"train": (GREYS[:cut], labels[:cut]), "t10k": (GREYS[cut:], labels[cut:])}
        files = {
            f"{part}-{kind}-idx{array.ndim}-ubyte.gz": idx(array)
            for part, arrays in parts.items()
            for kind, array in zip(("images", "labels"), arrays, strict=True)
        }
        return files, {f"fashion-mnist/{file}": content for file, content in files.items()}
    text, checked = io.BytesIO(), {}
    with tarfile.open(fileobj=text, mode="w:gz") as archive:
        for part, rows in (("train", slice(0, cut)), ("test", slice(cut, None))):
            labels = (np.arange(len(COLOURS)) % 100)[rows].tolist()
            content = pickle.dumps({b"data": COLOURS[rows].reshape(-1, 3072), b"fine_labels": labels})
            entry = tarfile.TarInfo(f"cifar-100-python/{part}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
            checked[f"cifar-100-python-target/cifar-100-python/{part}"] = content
    return {ARCHIVE: text.getvalue()}, checked


def offer(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, proved: bool) -> None:
    """Put the files of a set into the folder, with their digests as the expected ones if `proved`."""
    files, checked = published(name)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    if proved:
        known = {file: ("sha256", hashlib.sha256(content).hexdigest()) for file, content in checked.items()}
        monkeypatch.setitem(keras_sets.SETS, name, replace(keras_sets.SETS[name], files=known))
        module = importlib.import_module(f"keras.src.datasets.{name}")

        def get_file(*args: object, file_hash: str | None = None, **options: object) -> object:
            (own,) = (hashlib.sha256(content).hexdigest() for content in files.values())
            return file_utils.get_file(*args, file_hash=own, **options)

        if name != "fashion_mnist":  # for which Keras knows no digest
            monkeypatch.setattr(module, "get_file", get_file)


@pytest.mark.parametrize("name", CUT)
def test_published_files_are_downloaded_proved_and_used(
    served: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(served, name, monkeypatch, proved=True)
    found = load_dataset(f"keras:{name}")
    expected = COLOURS.transpose(0, 2, 3, 1) if name == "cifar100" else np.stack([GREYS] * 3, axis=-1)
    np.testing.assert_array_equal(found.train.pixels(), expected[: CUT[name]])
    np.testing.assert_array_equal(found.test.pixels(), expected[CUT[name] :])
    assert found.record["proved_by"]


@pytest.mark.parametrize("name", CUT)
def test_other_files_are_refused(served: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive of CIFAR-100 by Keras, which does not unpack it; the others by their name and digest."""
    offer(served, name, monkeypatch, proved=False)
    said = {
        "mnist": r"mnist\.npz has the wrong digest: expected sha256 731c5a.* Remove this file",
        "fashion_mnist": r"fashion-mnist/train-.*gz has the wrong digest: expected md5 .* Remove this file",
        "cifar100": "Incomplete or corrupted file detected",
    }
    with pytest.raises(DeepSightError, match=said[name]):
        load_dataset(f"keras:{name}")


def test_a_damaged_download_is_named_before_what_it_breaks(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(served, "fashion_mnist", monkeypatch, proved=True)
    (served / "train-labels-idx1-ubyte.gz").write_text("<html>not found</html>")
    with pytest.raises(DeepSightError, match=r"train-labels-idx1-ubyte\.gz has the wrong digest"):
        load_dataset("keras:fashion_mnist")


def test_a_pickle_that_is_not_the_published_one_is_never_opened(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(served, "cifar100", monkeypatch, proved=True)
    batch = tmp_path / "keras/datasets/cifar-100-python-target/cifar-100-python/train"
    batch.parent.mkdir(parents=True)
    opened = tmp_path / "opened"
    batch.write_bytes(f"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'{opened}'\ntRtR.".encode())
    with pytest.raises(DeepSightError, match="train has the wrong digest"):
        load_dataset("keras:cifar100")
    assert not opened.exists()


def test_a_host_without_the_file_is_a_reason(served: Path) -> None:
    with pytest.raises(DeepSightError, match="answers with status 404"):
        load_dataset("keras:mnist")


def test_the_expected_digests_are_those_that_others_publish() -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    fashion = {f"fashion-mnist/{file}": ("md5", digest) for file, digest in datasets.FashionMNIST.resources}
    assert keras_sets.SETS["fashion_mnist"].files == fashion
    folder = "cifar-100-python-target/cifar-100-python/"
    parts = [*datasets.CIFAR100.train_list, *datasets.CIFAR100.test_list]
    assert keras_sets.SETS["cifar100"].files == {f"{folder}{file}": ("md5", known) for file, known in parts}
    source = inspect.getsource(importlib.import_module("keras.src.datasets.mnist"))
    assert keras_sets.SETS["mnist"].files["mnist.npz"][1] in source
