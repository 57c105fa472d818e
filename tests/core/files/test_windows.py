"""What Windows does otherwise, simulated: open targets, its locks, its processes, and names of devices."""

import ctypes
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files import atomic, lock, windows
from deepsight.core.files.atomic import is_running, safe_name, write_text


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "is_windows", lambda: True)
    monkeypatch.setattr(atomic, "is_windows", lambda: True)


def held_open(monkeypatch: pytest.MonkeyPatch, times: int) -> list[float]:
    """Let the next replacements fail as they do while another program has the target open."""
    real, left, slept = Path.replace, [times], []

    def replace(self: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "Access is denied", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(windows.replace_file, "__kwdefaults__", {"sleep": slept.append})
    return slept


@pytest.mark.usefixtures("on_windows")
def test_a_scanner_that_holds_the_file_for_a_moment_is_waited_for(tmp_path, monkeypatch) -> None:
    slept = held_open(monkeypatch, 3)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert slept == list(windows.PAUSES[:3])


@pytest.mark.usefixtures("on_windows")
def test_a_program_that_keeps_it_open_is_named_as_the_cause(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.txt").write_text("old")
    held_open(monkeypatch, 99)
    with pytest.raises(DeepSightError, match="Close the program that has it open"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_other_systems_do_not_wait(tmp_path, monkeypatch) -> None:
    slept = held_open(monkeypatch, 1)
    with pytest.raises(DeepSightError):
        write_text(tmp_path / "a.txt", "new")
    assert slept == []


def test_a_file_is_flushed_through_a_handle_that_may_write(tmp_path, monkeypatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        os.write(descriptor, b"")  # Windows gives EBADF for a handle that may only read, as this does
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("name", ["con", "NUL", "Aux.png", "com1", "lpt9.tar.gz", "nul .txt"])
def test_names_of_devices_are_changed_and_stay_different(name: str) -> None:
    assert windows.is_device(name)
    assert not windows.is_device(safe_name(name))
    assert safe_name(name) != safe_name(name.swapcase())


@pytest.mark.parametrize("name", ["console", "common", "com", "null.png", "a.con"])
def test_names_that_only_look_so_stay(name: str) -> None:
    assert not windows.is_device(name)
    assert safe_name(name) == name


def test_a_name_never_ends_with_a_dot_which_windows_drops() -> None:
    assert not safe_name("photo...").endswith(".")


class Region:
    """Byte ranges that processes have locked, as msvcrt.locking has them."""

    def __init__(self) -> None:
        self.held: set[tuple[int, int]] = set()

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        if place in self.held:
            raise OSError(36, "Resource deadlock avoided")
        self.held.add(place)


@pytest.fixture
def without_posix_locks(monkeypatch: pytest.MonkeyPatch) -> Region:
    region, fake = Region(), ModuleType("msvcrt")
    fake.locking, fake.LK_NBLCK = region.locking, 2
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    return region


def test_a_folder_is_locked_and_its_owner_can_still_be_read(
    tmp_path, monkeypatch, without_posix_locks
) -> None:
    with lock.locked(tmp_path):
        monkeypatch.setattr(lock, "held", {})  # as another process sees it
        with (
            pytest.raises(DeepSightError, match=f"process {os.getpid()} on .* is working in it"),
            lock.locked(tmp_path),
        ):
            pass
        ((_, place),) = without_posix_locks.held
        assert place == windows.LOCKED_BYTE
        monkeypatch.undo()
        lock.held.setdefault(tmp_path.resolve(), 1)


def test_without_any_locks_the_work_goes_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", None)
    with lock.locked(tmp_path):
        assert (tmp_path / ".lock").exists()


def kernel(alive: set[int]) -> SimpleNamespace:
    """As much of kernel32 as is asked about processes."""
    closed: list[int] = []
    return SimpleNamespace(
        OpenProcess=lambda right, inherit, process: process if process in alive | {77} else 0,
        WaitForSingleObject=lambda handle, wait: 258 if handle in alive else 0,
        CloseHandle=closed.append,
        closed=closed,
    )


@pytest.mark.usefixtures("on_windows")
def test_asking_for_a_process_never_sends_it_a_signal(monkeypatch) -> None:
    fake = kernel({5})
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=fake), raising=False)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("this is Ctrl-C on Windows"))
    assert is_running(5)
    assert not is_running(6)
    assert not is_running(77)  # it has ended, but its handle can be opened
    assert fake.closed == [5, 77]


def test_peak_memory_is_asked_of_windows_where_there_is_no_resource_module(monkeypatch) -> None:
    from deepsight.core import environment

    def info(process: object, counters: object, size: int) -> bool:
        counters._obj.peak = 123_400_000
        return True

    def current() -> int:
        return 1

    fake = SimpleNamespace(GetCurrentProcess=current, K32GetProcessMemoryInfo=info)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=fake), raising=False)
    monkeypatch.setattr(environment, "memory_mb", lambda name: None)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert environment.peak_rss_mb() == 123.4
    monkeypatch.delattr(ctypes, "windll")
    assert environment.peak_rss_mb() == 0
