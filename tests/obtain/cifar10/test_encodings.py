"""The published encodings: all three give the same images, and damaged or hostile content is refused."""

import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.obtain.cifar10 import encodings
from deepsight.obtain.cifar10.archives import read_folder
from deepsight.obtain.sources import SourceError


@pytest.mark.parametrize(
    ("encoding", "writer"),
    [
        (encodings.PYTHON, "write_python"),
        (encodings.BINARY, "write_binary"),
        (encodings.SHEETS, "write_sheets"),
    ],
)
def test_each_encoding_gives_the_same_images_and_labels(tiny, tmp_path, encoding, writer):
    folder = getattr(tiny, writer)(tmp_path / "data")
    parts = encoding.parts(read_folder(folder, encoding.names))
    for name, part in tiny.parts.items():
        np.testing.assert_array_equal(parts[name].images, part.images)
        np.testing.assert_array_equal(parts[name].labels, part.labels)
        assert parts[name].labels.dtype == np.int64


@settings(max_examples=10, deadline=None)
@given(n=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
def test_planes_and_images_hold_the_same_values(n, seed):
    planes = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
    images = encodings.images_of_planes(planes)
    for channel in range(3):
        expected = planes[:, 1024 * channel : 1024 * (channel + 1)]
        np.testing.assert_array_equal(images[..., channel].reshape(n, 1024), expected)


def short(text: bytes) -> bytes:
    """A string as Python 2 pickled it."""
    return b"U" + bytes([len(text)]) + text


def python2_batch(data: np.ndarray, labels: list[int]) -> bytes:
    """The opcodes that Python 2 and numpy 1 wrote, as in the official archive: strings are bytes there."""
    rows, columns = data.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + short(b"b") + b"tR"
        b"(K\x01M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
        b"cnumpy\ndtype\n(" + short(b"u1") + b"K\x00K\x01tR(K\x03" + short(b"|") + b"NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<i", data.nbytes) + data.tobytes() + b"tb"
    )
    given_labels = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + short(b"data") + array + short(b"labels") + given_labels + b"u."


def test_a_batch_that_python_2_wrote_is_read(tiny):
    part = tiny.parts["test"]
    planes = np.ascontiguousarray(part.images.transpose(0, 3, 1, 2).reshape(10, -1))
    decoded = encodings.decode_pickle(python2_batch(planes, part.labels.tolist()))
    np.testing.assert_array_equal(decoded.images, part.images)
    np.testing.assert_array_equal(decoded.labels, part.labels)


class Evil:
    """Would make a folder when unpickled blindly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tiny, tmp_path):
    folder = tiny.write_python(tmp_path / "data")
    (folder / "data_batch_2").write_bytes(pickle.dumps({b"data": Evil(str(tmp_path / "ran"))}))
    with pytest.raises(SourceError, match="a batch may hold only arrays"):
        encodings.PYTHON.parts(read_folder(folder, encodings.PYTHON.names))
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Evil(str(tmp_path / "ran"))))
    assert (tmp_path / "ran").exists(), "the planted pickle was harmless, so the test proved nothing"


@pytest.mark.parametrize("content", [b"", b"\x80\x02.", b"not a pickle", pickle.dumps({b"labels": [1]})])
def test_damaged_batches_are_refused(tiny, tmp_path, content):
    folder = tiny.write_python(tmp_path / "data")
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(SourceError, match="the python batches cannot be decoded"):
        encodings.PYTHON.parts(read_folder(folder, encodings.PYTHON.names))


def test_records_that_end_early_are_refused(tiny, tmp_path):
    folder = tiny.write_binary(tmp_path / "data")
    path = folder / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SourceError, match="the binary batches cannot be decoded"):
        encodings.BINARY.parts(read_folder(folder, encodings.BINARY.names))


def test_a_sheet_of_the_wrong_size_is_refused_before_it_is_decoded(tiny, tmp_path, monkeypatch):
    folder = tiny.write_sheets(tmp_path / "data")
    monkeypatch.setattr(encodings, "BATCH_ROWS", 11)
    with pytest.raises(SourceError, match="expected a sheet of 1024 x 11 pixels"):
        encodings.SHEETS.parts(read_folder(folder, encodings.SHEETS.names))


@pytest.mark.parametrize(
    ("name", "content"), [("test_lables.json", b"[1, 2]"), ("test_batch.png", b"\x89PNG\r\n\x1a\n")]
)
def test_damaged_sheets_and_lists_are_refused(tiny, tmp_path, name, content):
    folder = tiny.write_sheets(tmp_path / "data")
    (folder / name).write_bytes(content)
    with pytest.raises(SourceError, match="the PNG sheets cannot be decoded"):
        encodings.SHEETS.parts(read_folder(folder, encodings.SHEETS.names))
