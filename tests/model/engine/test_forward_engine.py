"""Every backend answers as PyTorch does, in float32, for each family of backbones."""

import logging

import pytest
import timm
import torch
from torch import nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import UsageError
from deepsight.model.backbone import Classifier
from deepsight.model.engine import ForwardEngine, forward_engine, using_settings
from deepsight.model.engine.graphs import FeaturesAndMaps, FeaturesOfTwo, StageMapsGraph
from deepsight.model.engine.openvino_backend import OpenVinoBackend

OPENVINO = EngineSettings("openvino")


def images(n: int = 5, side: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 3, side, side, generator=generator).contiguous(memory_format=torch.channels_last)


def answers(engine: ForwardEngine, x: torch.Tensor, size: int = 2) -> list[torch.Tensor]:
    parts = zip(*engine.run(torch.split(x, size), len(x)), strict=True)
    return [torch.cat(part) for part in parts]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.conv(x)
        return maps.mean((2, 3)), maps


@pytest.mark.parametrize("name", ["resnet10t", "tf_efficientnet_lite0", "vgg11", "convnext_atto"])
@pytest.mark.slow
def test_each_family_is_answered_within_a_ten_thousandth(name):
    torch.manual_seed(0)
    classifier = Classifier(timm.create_model(name, num_classes=0), 10).eval()
    with torch.inference_mode():
        expected = classifier.forward_features(images())
    if name != "convnext_atto":
        classifier.fuse_all()
    engine = ForwardEngine(FeaturesAndMaps(classifier.stages), compile_after=0)
    with using_settings(OPENVINO):
        features, maps = answers(engine, images())
    assert engine.reason == ""
    assert engine._compiled
    scale = max(1.0, float(expected.abs().max()))
    assert float((maps - expected).abs().max()) < 1e-4 * scale
    assert float((features - expected.mean((2, 3))).abs().max()) < 1e-4 * scale
    logits, own = (classifier.head(x).detach() for x in (features, expected.mean((2, 3))))
    assert float((logits - own).abs().max()) < 1e-4 * max(1.0, float(own.abs().max()))


@pytest.mark.parametrize("streams", [1, 3])
def test_batches_come_back_in_order_whatever_their_sizes(streams):
    torch.manual_seed(0)
    small, x = Small(), images(11, 32)
    engine = ForwardEngine(small, compile_after=0)
    with using_settings(EngineSettings("openvino", streams=streams)):
        features, maps = answers(engine, x, size=4)
        again, _ = answers(engine, x[:3], size=1)
    expected = small(x)
    torch.testing.assert_close(features, expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(maps, expected[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(again, expected[0][:3], rtol=1e-5, atol=1e-5)
    assert len(engine._compiled) == 1


def test_two_networks_share_one_pass():
    torch.manual_seed(0)
    shared, first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Conv2d(4, 6, 3)
    x = images(4, 32)
    with using_settings(OPENVINO):
        a, b = answers(ForwardEngine(FeaturesOfTwo(shared, first, second), compile_after=0), x)
    torch.testing.assert_close(a, first(shared(x)).mean((2, 3)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(b, second(shared(x)).mean((2, 3)), rtol=1e-5, atol=1e-5)


def test_few_images_are_not_worth_compiling():
    engine = ForwardEngine(Small(), compile_after=10)
    with using_settings(OPENVINO):
        answers(engine, images(9, 32))
        assert not engine._compiled
        answers(engine, images(1, 32))
        assert len(engine._compiled) == 1


def test_weights_that_change_in_place_are_compiled_anew():
    torch.manual_seed(0)
    small, x = Small(), images(3, 32)
    engine = ForwardEngine(small, compile_after=0)
    with using_settings(OPENVINO):
        before, _ = answers(engine, x)
        with torch.no_grad():
            small.conv.weight.mul_(2)
        after, _ = answers(engine, x)
    torch.testing.assert_close(after, small(x)[0], rtol=1e-5, atol=1e-5)
    assert float((after - before).abs().max()) > 1e-3


def test_a_backend_that_answers_otherwise_is_not_used(monkeypatch, caplog):
    class Wrong(OpenVinoBackend):
        def run(self, batches):
            for features, maps in super().run(batches):
                yield features + 0.01, maps

    monkeypatch.setattr(forward_engine, "OpenVinoBackend", Wrong)
    small, x = Small(), images(3, 32)
    engine = ForwardEngine(small, compile_after=0)
    with using_settings(OPENVINO), caplog.at_level(logging.WARNING):
        features, _ = answers(engine, x)
    torch.testing.assert_close(features, small(x)[0])
    assert "differ from PyTorch's by 0.01" in engine.reason
    assert "PyTorch is used instead" in caplog.text


def test_in_bfloat16_rounding_is_accepted_and_another_answer_is_not(monkeypatch):
    class Wrong(OpenVinoBackend):
        def run(self, batches):
            for features, maps in super().run(batches):
                yield features.flip(0), maps

    torch.manual_seed(0)
    small, x = Small(), images(8, 32) + torch.arange(8.0)[:, None, None, None]
    engine = ForwardEngine(small, "bf16-mixed", compile_after=0)
    with using_settings(OPENVINO):
        features, _ = answers(engine, x)
        assert engine.reason == ""
        torch.testing.assert_close(features, small(x)[0], rtol=0.05, atol=0.05)
        monkeypatch.setattr(forward_engine, "OpenVinoBackend", Wrong)
        wrong = ForwardEngine(small, "bf16-mixed", compile_after=0)
        answers(wrong, x)
    assert "differ from PyTorch's by" in wrong.reason


def test_a_network_that_openvino_does_not_know_goes_through_torch():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.special.bessel_j0(x.mean((2, 3))) * self.scale,)

    odd, x = Odd(), images(3, 32)
    engine = ForwardEngine(odd, compile_after=0)
    with using_settings(OPENVINO):
        (found,) = answers(engine, x)
    torch.testing.assert_close(found, odd(x)[0])
    assert "cannot run this network" in engine.reason


def test_torch_leaves_the_caller_outside_inference_mode():
    engine = ForwardEngine(Small())
    with using_settings(EngineSettings("torch")):
        for _ in engine.run([images(2, 32)], 2):
            assert not torch.is_inference_mode_enabled()


def test_no_batch_gives_nothing():
    assert list(ForwardEngine(StageMapsGraph(nn.Conv2d(3, 4, 3)), compile_after=0).run([], 0)) == []


def test_settings_are_checked_and_size_the_batches():
    assert EngineSettings().images_per_batch(64) == 64
    assert EngineSettings().images_per_batch(1024) == 1
    with pytest.raises(UsageError, match="at least one stream"):
        EngineSettings(streams=0)


@pytest.mark.slow
def test_the_package_that_reports_home_is_not_imported():
    import subprocess
    import sys

    code = (
        "import sys\nfrom deepsight.model.engine.openvino_backend import openvino\nopenvino()\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_network_made_in_inference_mode_is_compiled_too():
    with torch.inference_mode():
        network = Small().eval()
    engine = ForwardEngine(network, compile_after=0)
    with using_settings(OPENVINO):
        compiled = answers(engine, images())
    assert not engine.reason
    with torch.inference_mode():
        for ours, theirs in zip(compiled, network(images()), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4)
