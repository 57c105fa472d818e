"""What is measured of a machine: rates at their mean time, and a network that stays as it was."""

from collections.abc import Callable

import pytest
import torch

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.recipe import Recipe
from deepsight.model import pretrained as weights
from deepsight.model.engine import using_settings
from deepsight.model.hardware import throughput
from deepsight.model.hardware.throughput import Throughput


def test_the_mean_time_of_two_looks_counts() -> None:
    mean = throughput.mean_throughput([Throughput(100, 300, 50, 10, 8, 2), Throughput(50, 300, 50, 40, 8, 2)])
    frozen, step = pytest.approx(2 / (1 / 100 + 1 / 50)), pytest.approx(16)
    assert mean == Throughput(frozen, 300, 50, step, 8, 2)  # type: ignore[arg-type]


def test_gains_raise_the_rates_that_they_belong_to() -> None:
    speed = Throughput(
        frozen=200, view=200, trainable=50, step=10, map_bytes=8, cells=2, gain=2.0, probe_gain=3.0
    )
    assert (speed.forward, speed.probed) == (pytest.approx(80), 150)


@pytest.mark.slow
def test_cached_views_are_timed_in_the_precision_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained, base = weights.load_pretrained(weights.PACKAGED), Recipe(precision="bf16-mixed")
    network, dtypes = throughput.fused_copy(pretrained, base, k=10), []
    network.frozen_stages[-1].register_forward_hook(lambda *given: dtypes.append(given[-1].dtype))
    seconds = iter([1.0, 0.25, 1.0, 0.6, 0.2, 1.0])  # frozen, for a view, whole, trained, for the probe, step

    def timed(action: Callable[[], object], device: torch.device) -> float:
        action()
        return next(seconds)

    monkeypatch.setattr(throughput, "warm_seconds", timed)
    with using_settings(EngineSettings("torch")):
        engines = throughput.engines_of(network, base)
        found = throughput.timed_once(network, pretrained, base, 32, engines)
    assert found.view == 4 * found.frozen
    assert dtypes == [torch.float32, torch.float32, torch.bfloat16, torch.float32]
    assert found.probed == pytest.approx(3 * found.trainable)
    assert found.forward == pytest.approx(found.frozen)


def test_features_are_timed_in_the_precision_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained, base = weights.load_pretrained(weights.PACKAGED), Recipe()
    network = throughput.fused_copy(pretrained, base, k=10)
    seconds = iter([1.0, 0.5, 2.0, 1.0, 1.0])  # frozen, the same for features, whole, trained, step

    def timed(action: Callable[[], object], device: torch.device) -> float:
        action()
        return next(seconds)

    monkeypatch.setattr(throughput, "warm_seconds", timed)
    with using_settings(EngineSettings("torch", precision="bf16-mixed")):
        engines = throughput.engines_of(network, base)
        found = throughput.timed_once(network, pretrained, base, 32, engines)
    assert set(engines) == {"32-true", "bf16-mixed", throughput.WHOLE}
    assert (found.speedup, found.embedded, found.view) == (2.0, 2 * found.forward, found.frozen)


@pytest.mark.slow
def test_measuring_leaves_the_weights_as_they_are() -> None:
    pretrained = weights.load_pretrained(weights.PACKAGED)
    before = {name: value.clone() for name, value in pretrained.backbone.state_dict().items()}
    network = throughput.fused_copy(pretrained, Recipe(), k=10)
    found = throughput.measured_throughput(network, pretrained, Recipe(), (32,))[32]
    assert min(found.frozen, found.trainable, found.step) > 0
    assert found.map_bytes == 40 * 4 * 4 * 2
    assert found.cells == 1
    assert all((value == before[name]).all() for name, value in pretrained.backbone.state_dict().items())
