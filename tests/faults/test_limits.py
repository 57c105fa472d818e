"""Few open files, little memory, small disks, odd encodings and names, and two processes at once."""

import signal
from pathlib import Path

import numpy as np
import pytest

from faulty.commands import AUDIT, READERS, RUN, Folders
from faulty.damage import is_sentence
from faulty.kills import fresh
from faulty.runner import Ended, Fault, Runner
from faulty.study import content_of, difference

pytestmark = pytest.mark.slow


def assert_said(ended: Ended) -> None:
    """It refused with a sentence."""
    assert not ended.crashed, ended.stderr
    assert is_sentence(ended), (ended.status, ended.stderr)


@pytest.mark.parametrize("limits", [{"NOFILE": 12}, {"AS": 3_000_000_000}])
def test_few_resources_are_said_or_suffice(
    limits: dict[str, int], runner: Runner, folders: Folders, tmp_path: Path
) -> None:
    folder = fresh(folders.new, tmp_path / "work")
    ended = runner.run(folder, *RUN, fault=Fault(limits=limits))
    if ended.status != 0:
        assert_said(ended)
        assert runner.run(folder, *RUN).status == 0
    assert difference(content_of(folders.done / "run"), content_of(folder / "run")) == ""


def test_a_full_device_is_said(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    folder = fresh(folders.done, tmp_path / "work")
    ended = runner.run(folder, *READERS["check"], fault=Fault(stdout="/dev/full"))
    assert ended.status == 1
    assert_said(ended)


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_an_encoding_that_lacks_signs_spells_them_out(
    encoding: str, runner: Runner, folders: Folders, tmp_path: Path
) -> None:
    folder = fresh(folders.done, tmp_path / "work")
    ended = runner.run(folder, *READERS["predict"], fault=Fault(encoding=encoding))
    assert ended.status == 0, ended.stderr
    assert "confidence" in ended.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("view", "r" * 256),
        ("run", "--out", "r" * 256),
        ("run", "--data", "folder:" + "d" * 300),
        ("run", "--data", "arrays:~nobody-of-this-name/x.npz"),
        ("predict", "run", "p" * 300),
        ("predict", "run", "/dev/zero"),
        ("check", "run", "--gate", "accuracy >= 1e999999"),
        ("treat", "run", "--minutes", "nan"),
        ("treat", "run", "--minutes", "1e300"),
        ("run", "--minutes", "inf"),
        ("run", "--mva", "nan"),
        ("run", "--seed", str(2**32)),
        ("run", "--train-limit", str(-(2**70))),
        ("run", "--config", "bomb.yaml"),
        ("run", "--config", "deep.yaml"),
        ("classify", "run", "new.png", "--reject-below", "nan"),
        ("classify", "run", "binary.csv"),
        ("apply", "run", "binary.csv", "--to", "cleaned"),
        ("receive", "binary.csv", "--from", "label-studio"),
        ("receive", "binary.csv", "--from", "cvat"),
        ("examine", "--data", "arrays:rows0.npz", "--predictions", "binary.csv"),
        ("examine", "--data", "arrays:rows0.npz", "--model", "run:nowhere"),
    ],
)
def test_odd_values_are_refused_with_a_sentence(command: tuple[str, ...], runner: Runner, odd: Path) -> None:
    ended = runner.run(odd, *command)
    assert not ended.crashed, ended.stderr
    assert ended.status in (1, 2, 3), ended.stdout
    assert ended.stderr or ended.status == 3


@pytest.fixture(scope="module")
def odd(folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run beside odd files."""
    folder = fresh(folders.done, tmp_path_factory.mktemp("odd") / "work")
    (folder / "bomb.yaml").write_text("a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9)))
    (folder / "deep.yaml").write_text("[" * 5000)
    (folder / "binary.csv").write_bytes(np.random.default_rng(0).bytes(2000))
    return folder


def test_a_missing_home_is_said(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    folder = fresh(folders.new, tmp_path / "work")
    environment = {"DEEPSIGHT_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "", "USERPROFILE": ""}
    command = ("obtain", "--data", "arrays:rows0.npz", "--out", "obtained")
    ended = runner.run(folder, *command, fault=Fault(environment=environment))
    assert not ended.crashed, ended.stderr


def test_two_processes_on_one_run_and_on_one_cache(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    folder = fresh(folders.new, tmp_path / "work")
    ended = runner.run_together(folder, RUN, RUN, (*RUN[:-1], "second"))
    refused = [one for one in ended if one.status != 0]
    assert len(refused) == 1, ended
    assert "is working in it" in refused[0].stderr
    for out in ("run", "second"):
        other = difference(content_of(folders.done / "run"), content_of(folder / out))
        assert other in ("", "report.html")  # which shows the name of its folder


def test_two_audits_of_the_same_data_share_a_cache(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    folder = fresh(folders.done, tmp_path / "work")
    ended = runner.run_together(folder, AUDIT, (*AUDIT[:-1], "second"))
    assert [one.status for one in ended] == [0, 0], ended
    assert difference(content_of(folder / "audited"), content_of(folder / "second")) in ("", "report.html")


def test_a_signal_before_anything_is_no_success(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    folder = fresh(folders.new, tmp_path / "work")
    ended = runner.run(folder, *RUN, fault=Fault(signal=signal.SIGTERM, after=0.0))
    assert ended.status != 0
