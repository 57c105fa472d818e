"""What the predictor says is the network's own answer, however the images are cut into batches."""

import numpy as np
import torch

from deepsight.core.engine_settings import EngineSettings
from deepsight.model.engine import using_settings
from deepsight.model.predict import Predictor

SMALL_BATCHES = EngineSettings(batch_pixels=64 * 32**2)


def test_logits_are_features_times_weights_plus_bias_and_the_network_s_own(trained, splits):
    predictor, pixels = trained.predictor, splits.test.pixels()
    features = predictor.features(pixels)
    by_hand = features.astype(np.float64) @ predictor.weight.T.astype(np.float64) + predictor.bias
    np.testing.assert_allclose(predictor.logits(pixels), by_hand, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        whole = predictor.classifier(predictor.preprocessing(pixels)).numpy()
    np.testing.assert_allclose(predictor.logits(pixels), whole, rtol=1e-3, atol=1e-3)


def test_features_are_the_mean_of_the_maps(trained, splits):
    pixels = splits.test.pixels(np.arange(9))
    maps = np.concatenate(list(trained.predictor.map_batches(pixels)))
    assert maps.shape == (9, 1280, 1, 1)
    np.testing.assert_allclose(trained.predictor.features(pixels), maps.mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_predictions_carry_the_split_s_ids_and_labels(trained, splits):
    rows = np.array([40, 2, 17])
    some = splits.test.select(rows)
    predictions = trained.predictor.predictions(some, name="test")
    np.testing.assert_array_equal(predictions.ids, splits.test.ids[rows])
    np.testing.assert_array_equal(predictions.labels, splits.test.labels[rows])
    np.testing.assert_allclose(
        predictions.logits, trained.predictor.logits(splits.test.pixels())[rows], rtol=1e-3, atol=1e-3
    )


def test_every_batch_is_verified_by_name(trained, splits, verified_batches):
    predictor = Predictor(trained.predictor.classifier, trained.predictor.preprocessing)
    with using_settings(SMALL_BATCHES):
        predictor.logits(
            np.concatenate([splits.test.pixels(), splits.test.pixels(np.arange(6))]), name="test"
        )
    assert verified_batches == [((64, 3, 32, 32), "test, image 0"), ((6, 3, 32, 32), "test, image 64")]


def test_the_answer_for_an_image_does_not_depend_on_its_company(trained, splits):
    pixels = splits.test.pixels()
    together = trained.predictor.logits(pixels)
    alone = np.concatenate([trained.predictor.logits(pixels[[i]]) for i in (0, 31, 63)])
    np.testing.assert_allclose(together[[0, 31, 63]], alone, rtol=1e-3, atol=1e-3)


def test_a_stage_s_maps_lead_on_to_the_same_logits(trained, splits):
    predictor, pixels = trained.predictor, splits.test.pixels(np.arange(5))
    assert predictor.sides()["blocks 2"] == 4
    maps = predictor.stage_maps("blocks 2", pixels).requires_grad_()
    logits = predictor.from_stage("blocks 2")(maps)
    np.testing.assert_allclose(logits.detach().numpy(), predictor.logits(pixels), rtol=1e-3, atol=1e-3)
    (grad,) = torch.autograd.grad(logits[:, 3].sum(), maps)
    assert grad.abs().sum() > 0


def test_a_classifier_left_in_training_mode_is_put_into_evaluation(trained):
    classifier = trained.predictor.classifier.train()
    Predictor(classifier, trained.predictor.preprocessing)
    assert not classifier.training


def test_an_image_of_another_size_is_resized(trained, splits):
    large = splits.test.pixels(np.arange(4)).repeat(2, 1).repeat(2, 2)
    assert trained.predictor.logits(large).shape == (4, 10)


def test_a_mosaic_is_its_tiles_side_by_side(trained, splits):
    predictor, tiles = trained.predictor, splits.test.pixels(np.arange(8))
    grid = tiles.reshape(2, 2, 2, 32, 32, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 64, 64, 3)
    large = predictor.of_mosaics(2)
    assert large.sides() == {name: 2 * side for name, side in predictor.sides().items()}
    first = large.stage_maps("stem", grid)
    alone = predictor.stage_maps("stem", tiles)
    assert first.shape == (2, 32, 32, 32)
    for m in range(2):
        for y, x in np.ndindex(2, 2):
            inner = first[m, :, 16 * y + 1 : 16 * y + 15, 16 * x + 1 : 16 * x + 15]
            torch.testing.assert_close(inner, alone[4 * m + 2 * y + x, :, 1:15, 1:15])


def test_every_tile_of_a_mosaic_is_verified_as_an_image(trained, verified_batches):
    predictor = Predictor(trained.predictor.classifier, trained.predictor.preprocessing, tiles=2)
    with using_settings(SMALL_BATCHES):
        assert predictor.logits(np.zeros((17, 64, 64, 3), dtype=np.uint8)).shape == (17, 10)
    assert [shape for shape, _ in verified_batches] == [(64, 3, 32, 32), (4, 3, 32, 32)]
