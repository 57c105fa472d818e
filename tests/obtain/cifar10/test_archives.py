"""Archives: read in memory, within bounds, and never trusted."""

import io
import tarfile

import pytest

from deepsight.obtain.cifar10 import archives
from deepsight.obtain.sources import SourceError


def archive_of(path, entries):
    """A .tar.gz of (name or TarInfo, content)."""
    with tarfile.open(path, "w:gz") as tar:
        for entry, content in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def link(name, kind, target="/etc/passwd"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_the_wanted_files_are_read_by_name_from_any_folder(tmp_path):
    path = archive_of(tmp_path / "a.tar.gz", [("x/y/one", b"1"), ("two", b"22"), ("x/other", b"333")])
    assert archives.read_archive(path, {"one", "two"}) == {"one": b"1", "two": b"22"}


def test_a_path_that_leads_outside_writes_nothing(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive_of(inside / "a.tar.gz", [("../../escaped", b"evil"), ("/escaped", b"evil"), ("one", b"1")])
    assert archives.read_archive(path, {"one"}) == {"one": b"1"}
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = archive_of(tmp_path / "a.tar.gz", [(link("one", kind), b"")])
    with pytest.raises(SourceError, match="holds a link or a device, 'one'"):
        archives.read_archive(path, {"one"})


def test_a_name_that_stands_twice_is_refused(tmp_path):
    path = archive_of(tmp_path / "a.tar.gz", [("a/one", b"1"), ("b/one", b"2")])
    with pytest.raises(SourceError, match="holds 'one' twice"):
        archives.read_archive(path, {"one"})


def test_a_lacking_file_is_named(tmp_path):
    path = archive_of(tmp_path / "a.tar.gz", [("one", b"1")])
    with pytest.raises(SourceError, match="lacks two"):
        archives.read_archive(path, {"one", "two"})


def test_too_many_entries_are_refused(tmp_path):
    path = archive_of(tmp_path / "a.tar.gz", [(f"e{i}", b"") for i in range(archives.MOST_ENTRIES + 1)])
    with pytest.raises(SourceError, match="more than 64 entries"):
        archives.read_archive(path, {"e0"})


def test_too_many_bytes_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1_000)
    path = archive_of(tmp_path / "a.tar.gz", [("a", bytes(600)), ("one", bytes(600))])
    with pytest.raises(SourceError, match="1000 bytes"):
        archives.read_archive(path, {"one"})


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_archive_is_refused(tmp_path, kept):
    import random

    noise = random.Random(0).randbytes(100_000)
    path = archive_of(tmp_path / "a.tar.gz", [("one", noise)])
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(SourceError, match=r"truncated or damaged|lacks one"):
        archives.read_archive(path, {"one"})


def test_bytes_that_are_no_archive_are_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"<html>Not found</html>")
    with pytest.raises(SourceError, match="truncated or damaged"):
        archives.read_archive(path, {"one"})


def test_a_folder_is_read_by_name(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    assert archives.read_folder(tmp_path, {"one"}) == {"one": b"1"}
    with pytest.raises(SourceError, match="lacks two"):
        archives.read_folder(tmp_path, {"one", "two"})


def test_a_folder_of_huge_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 10)
    (tmp_path / "one").write_bytes(bytes(11))
    with pytest.raises(SourceError, match="more than 10 bytes"):
        archives.read_folder(tmp_path, {"one"})
