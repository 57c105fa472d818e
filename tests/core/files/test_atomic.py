"""A file is whole or absent, whatever stops the writing."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files import atomic as files
from deepsight.core.files.atomic import atomic_path, remove_leftovers, write_json, write_npz, write_text


def test_a_file_appears_whole_and_readable_by_others(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "Größe\n")
    assert target.read_text(encoding="utf-8") == "Größe\n"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_of_the_user_is_respected(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "mine")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    write_text(tmp_path / ("é" * 127), "text")
    with pytest.raises(DeepSightError, match=r"File name too long\. Choose a shorter name"):
        write_text(tmp_path / ("a" * 256), "text")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path, error):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic_path(target) as path:
            path.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


@pytest.mark.slow
def test_a_process_killed_half_way_leaves_nothing_under_the_name(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from deepsight.core.files.atomic import atomic_path
        with atomic_path(Path(sys.argv[1])) as path:
            path.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    target = tmp_path / "a.txt"
    done = subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.txt.")
    assert left.suffix == ".part"
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_what_dead_processes_of_this_machine_left_is_removed(tmp_path):
    kept = [files.part_name("mine.npy"), f".theirs.npy.{'0' * 6}-1-abcd.part", "a.part", ".hidden"]
    for name in [*kept, f".dead.npy.{files.machine()}-{2**22 + 1}-abcd.part", ".earlier.npy.x8f_3.part"]:
        (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_what_is_left_of_one_file_is_removed_and_of_others_not(tmp_path):
    dead = f"{files.machine()}-{2**22 + 1}-abcd.part"
    for name in (f".model.pt.{dead}", f".other.pt.{dead}", files.part_name("model.pt")):
        (tmp_path / name).write_text("half")
    files.remove_leftovers_of(tmp_path / "model.pt")
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2
    assert f".model.pt.{dead}" not in names


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(DeepSightError, match=r"a\.txt, but the system said: No space left.*Free some space"):
        write_text(tmp_path / "a.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeepSightError, match="Expected to write"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_equal_contents_are_equal_files(tmp_path):
    for name in ("a", "b"):
        write_json(tmp_path / name, {"z": 1, "a": "é"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(json.loads((tmp_path / "a").read_text(encoding="utf-8"))) == ["z", "a"]


def test_arrays_are_stored_by_name_and_objects_are_refused(tmp_path):
    write_npz(tmp_path / "a.npz", rows=np.arange(3), empty=np.zeros((0, 2)))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["rows"], np.arange(3))
        assert file["empty"].shape == (0, 2)
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "b.npz", rows=np.array([{}], dtype=object))
    assert not (tmp_path / "b.npz").exists()
