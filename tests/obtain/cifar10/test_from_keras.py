"""The Keras route, with its loader replaced: no test needs the network."""

import os
import socket
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from deepsight.obtain.cifar10 import from_keras
from deepsight.obtain.cifar10 import load as cifar
from deepsight.obtain.sources import SourceError, SourceSkipped


@pytest.fixture
def reachable(monkeypatch):
    monkeypatch.setattr(from_keras, "require_answer", lambda url: 200)


def keras_arrays(tiny):
    """What Keras returns: uint8 labels with a second axis."""
    train, test = tiny.parts["train"], tiny.parts["test"]
    return tuple((part.images, part.labels.astype(np.uint8)[:, None]) for part in (train, test))


def test_its_arrays_are_proved_and_used(tiny, reachable, monkeypatch):
    monkeypatch.setattr(from_keras, "load_with_keras", lambda: keras_arrays(tiny))
    loaded = cifar.load_cifar10()
    assert loaded.record["source"] == "keras.datasets.cifar10"
    np.testing.assert_array_equal(loaded.train.pixels(), tiny.parts["train"].images)
    np.testing.assert_array_equal(loaded.test.labels, tiny.parts["test"].labels)


def test_a_channels_first_layout_is_turned(tiny):
    part = tiny.parts["test"]
    turned = from_keras.rgb_part(part.images.transpose(0, 3, 1, 2), part.labels[:, None])
    assert cifar.records_digest(turned) == cifar.RECORDS_SHA256["test"]


def test_the_torch_backend_is_chosen_before_keras_is_imported(monkeypatch):
    seen = []
    module = ModuleType("keras.datasets")
    module.cifar10 = SimpleNamespace(
        load_data=lambda: (seen.append(os.environ["KERAS_BACKEND"]), "train", "test")[1:]
    )
    monkeypatch.setitem(sys.modules, "keras", ModuleType("keras"))
    monkeypatch.setitem(sys.modules, "keras.datasets", module)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert from_keras.load_with_keras() == ("train", "test")
    assert seen == ["torch"]


def test_what_keras_prints_stays_off_stdout(tiny, reachable, monkeypatch, capsys):
    monkeypatch.setattr(from_keras, "load_with_keras", lambda: print("12% done") or keras_arrays(tiny))
    from_keras.fetch_from_keras(offline=False)
    assert capsys.readouterr() == ("", "12% done\n")


def test_a_failing_loader_is_a_reason_in_one_line(reachable, monkeypatch):
    def load():
        raise Exception("URL fetch failure\nwith details")

    monkeypatch.setattr(from_keras, "load_with_keras", load)
    with pytest.raises(SourceError, match=r"^its loader failed \(URL fetch failure\)$"):
        from_keras.fetch_from_keras(offline=False)
    assert socket.getdefaulttimeout() is None


def test_a_host_that_has_no_such_file_is_a_reason(monkeypatch):
    monkeypatch.setattr(from_keras, "require_answer", lambda url: 404)
    with pytest.raises(SourceError, match=r"answers with status 404"):
        from_keras.fetch_from_keras(offline=False)


def test_offline_asks_no_host(monkeypatch):
    monkeypatch.setattr(from_keras, "require_answer", lambda url: pytest.fail("the network was used"))
    with pytest.raises(SourceSkipped):
        from_keras.fetch_from_keras(offline=True)


@pytest.mark.slow
def test_keras_and_torch_are_not_imported_with_the_stage():
    code = "import sys, deepsight.obtain; sys.exit(bool({'keras', 'torch', 'datasets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
