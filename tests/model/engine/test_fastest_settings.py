"""The self-test takes the least time, and PyTorch where nothing is clearly faster."""

from contextvars import ContextVar

import pytest
import torch
from torch import nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import UsageError
from deepsight.model.engine import active_settings, fastest_settings, settings, using_settings
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.engine.settings import default_settings, settings_of_long_passes


def chosen(monkeypatch, *seconds: float, threads: int, bfloat16: bool = False) -> EngineSettings:
    """What is chosen where each candidate takes so long."""
    monkeypatch.setattr(fastest_settings, "has_bfloat16", lambda: bfloat16)
    times = iter([*seconds] * fastest_settings.TURNS)
    monkeypatch.setattr(fastest_settings, "seconds_of", lambda action, device: next(times))
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(fastest_settings, "default_settings", lambda: EngineSettings("openvino"))
    return fastest_settings.fastest_settings(StageMapsGraph(nn.Conv2d(3, 4, 3)), 32, seconds=10.0)


def test_the_fastest_candidate_is_taken(monkeypatch):
    assert chosen(monkeypatch, 1.0, 0.7, 0.6, threads=2) == EngineSettings("openvino", streams=2)
    assert chosen(monkeypatch, 1.0, 0.7, 0.8, threads=2) == EngineSettings("openvino", streams=1)


def test_what_is_hardly_faster_is_left(monkeypatch):
    assert chosen(monkeypatch, 1.0, 0.97, 0.98, threads=2) == EngineSettings("torch")


def test_one_thread_has_one_stream(monkeypatch):
    assert chosen(monkeypatch, 1.0, 0.5, threads=1) == EngineSettings("openvino", streams=1)


@pytest.mark.parametrize(("seconds", "streams", "precision"), [
    ((1.0, 0.7, 0.6, 0.5, 0.3), 2, "bf16-mixed"), ((1.0, 0.6, 0.7, 0.3, 0.2), 1, "bf16-mixed"),
    ((1.0, 0.7, 0.6, 0.7, 0.59), 2, "32-true"),
])  # fmt: skip
def test_bfloat16_is_taken_where_it_is_clearly_faster_yet(monkeypatch, seconds, streams, precision):
    found = chosen(monkeypatch, *seconds, threads=2, bfloat16=True)
    assert found == EngineSettings("openvino", streams=streams, precision=precision)


@pytest.mark.slow
def test_it_runs_and_leaves_the_settings_as_they_were():
    with using_settings(EngineSettings("torch", batch_pixels=7)):
        found = fastest_settings.fastest_settings(StageMapsGraph(nn.Conv2d(3, 8, 3)), 32, seconds=0.0)
        assert active_settings() == EngineSettings("torch", batch_pixels=7)
    assert found.backend in ("torch", "openvino")


def test_the_environment_decides_where_no_plan_does(monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_ENGINE", "torch")
    assert default_settings() == EngineSettings("torch")
    monkeypatch.setenv("DEEPSIGHT_ENGINE", "tensorflow")
    with pytest.raises(UsageError, match="torch or openvino"):
        default_settings()


def test_long_passes_have_a_stream_per_thread_unless_a_plan_decided(monkeypatch):
    monkeypatch.setattr(settings, "_active", ContextVar("unset", default=None))  # a study may have run before
    monkeypatch.delenv("DEEPSIGHT_ENGINE", raising=False)
    monkeypatch.setattr(settings, "has_bfloat16", lambda: True)
    assert settings_of_long_passes(2) == EngineSettings("openvino", streams=2, precision="bf16-mixed")
    monkeypatch.setattr(settings, "has_bfloat16", lambda: False)
    assert settings_of_long_passes(2) == EngineSettings("openvino", streams=2)
    assert settings_of_long_passes(1) == EngineSettings("openvino")
    with using_settings(EngineSettings("openvino")):
        assert settings_of_long_passes(2) == EngineSettings("openvino")
    monkeypatch.setenv("DEEPSIGHT_ENGINE", "torch")
    assert settings_of_long_passes(2) == EngineSettings("torch")
