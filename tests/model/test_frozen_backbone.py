"""Frozen features beside a fine-tuned model's answers: one pass through the frozen stages gives both."""

import numpy as np
import torch

from deepsight.core.engine_settings import EngineSettings
from deepsight.model.engine import using_settings
from deepsight.model.frozen_backbone import FrozenBackbone, same_weights
from deepsight.model.training.training_state import TrainablePart, pooled
from small import SMALL


def test_one_pass_gives_what_each_network_gives_alone(trained, splits, packaged):
    frozen = FrozenBackbone(packaged)
    predictions, features = frozen.beside(trained.predictor, splits.test, name="test")
    assert same_weights(trained.predictor.classifier.frozen_stages, frozen._classifier.frozen_stages)
    alone = trained.predictor.predictions(splits.test, name="test")
    np.testing.assert_allclose(predictions.logits, alone.logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(predictions.ids, splits.test.ids)
    np.testing.assert_allclose(features, frozen.features(splits.test.pixels(), SMALL), rtol=1e-3, atol=1e-3)
    assert np.abs(features - predictions.features).max() > 0.01


def test_features_follow_the_precision_of_the_engine_and_predictions_do_not(trained, splits, packaged):
    frozen, pixels = FrozenBackbone(packaged), splits.test.pixels()
    exact = frozen.features(pixels, SMALL)
    together = frozen.beside(trained.predictor, splits.test, name="test")
    with using_settings(EngineSettings("torch", precision="bf16-mixed")):
        rounded = frozen.features(pixels, SMALL)
        again = frozen.beside(trained.predictor, splits.test, name="test")
    assert not np.array_equal(rounded, exact)
    assert np.square(rounded - exact).mean() < 0.1**2 * np.square(exact).mean()
    np.testing.assert_array_equal(again[0].logits, together[0].logits)
    np.testing.assert_array_equal(again[1], together[1])


def test_frozen_stages_that_were_changed_are_not_shared(trained, splits, packaged, monkeypatch):
    frozen = FrozenBackbone(packaged)
    expected = frozen.features(splits.test.pixels(), SMALL)
    first = next(trained.predictor.classifier.frozen_stages.parameters())
    before = first.detach().clone()
    with torch.no_grad():
        first.mul_(1.5)
    try:
        predictions, features = frozen.beside(trained.predictor, splits.test, name="test")
        alone = trained.predictor.predictions(splits.test, name="test")
    finally:
        with torch.no_grad():
            first.copy_(before)  # bit for bit: other tests compare this model's weights
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(predictions.logits, alone.logits, rtol=1e-3, atol=1e-3)


def test_maps_are_pooled_in_parts_that_do_not_matter():
    maps, trainable = torch.randn(150, 3, 4, 4), TrainablePart(torch.nn.Identity(), torch.nn.Linear(3, 2))
    np.testing.assert_allclose(pooled(trainable, maps), maps.mean((2, 3)).numpy(), rtol=1e-6)
