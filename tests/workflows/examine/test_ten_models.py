"""The contract: each kind of model goes through the whole examination, whose maps find the planted patch."""

from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepsight.core.evidence import maps_refusal
from deepsight.interpret.background import grabcut, mask_quality
from deepsight.interpret.examine import examine_inputs
from deepsight.interpret.faithfulness.choice import choose_attributor
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.model.foreign.network import network_of_module
from deepsight.model.foreign.open import Opened, open_model
from deepsight.workflows.examine.examination import predictions_of
from deepsight.workflows.examine.fit_model import FittedModel, fit_to_data
from planted_patches import Planted, discs_on_grounds, planted_patches
from ten_models import FILES, FORMAT, NAMES, trained, written

TRAIN, TEST = planted_patches(512, seed=1), planted_patches(160, seed=2)
SIZES = SampleSizes(
    degradation_images=8, context_objects=12, faithfulness_images=30, choosing_images=6, mapped_errors=4
)
TABLES = {
    "confusion", "recall", "calibration", "label_errors", "ambiguity", "slices", "degradation",
    "attribution_methods", "not_examined", "ledger", "preprocessing_audit", "class_order_audit",
}  # fmt: skip


@pytest.fixture(autouse=True)
def masks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are cut out of the same images again and again: once is enough."""
    monkeypatch.setattr(grabcut, "segment_objects", segmented)
    monkeypatch.setattr(mask_quality, "segment_objects", segmented)


original = grabcut.segment_objects


@lru_cache(maxsize=64)
def segmented_bytes(content: bytes, shape: tuple[int, ...], seed: int) -> grabcut.Masks:
    return original(np.frombuffer(content, np.uint8).reshape(shape), seed=seed)


def segmented(images: np.ndarray, *, seed: int = 0) -> grabcut.Masks:
    return segmented_bytes(np.ascontiguousarray(images).tobytes(), images.shape, seed)


@cache
def pooled() -> object:
    return trained("pooled", TRAIN.data)


def opened(name: str, folder: Path) -> Opened:
    """The model of this kind as a user would give it."""
    if name in FILES:
        return open_model(written(pooled(), name, folder))  # type: ignore[arg-type]
    return Opened(network_of_module(trained(name, TRAIN.data), name, documented=FORMAT))


def examined(fitted: FittedModel, planted: Planted, sizes: SampleSizes = SIZES):
    """All findings about the model, and the inputs that they are about."""
    predictions = predictions_of(fitted.model, planted.data)
    inputs = ExaminationInputs(planted.data, predictions)
    return inputs, examine_inputs(inputs, fitted.model, sizes)


@pytest.mark.slow
@pytest.mark.study
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_the_whole_examination_of_every_kind(name: str, tmp_path: Path) -> None:
    fitted = fit_to_data(opened(name, tmp_path).network, TEST.data)
    inputs, found = examined(fitted, TEST)
    tables = fitted.evidence.merge(found.evidence)
    assert (inputs.predictions.labels == inputs.predictions.predicted).mean() > 0.9
    assert set(tables) >= TABLES
    reasons = {refusal.check: refusal.reason for refusal in found.refusals}
    assert all(reason.endswith(".") for reason in reasons.values())
    assert "faithfulness" in tables or "maps" in reasons
    if maps_refusal(tables) or "maps" in reasons:
        return  # it says why it has none
    chosen = choose_attributor(inputs, fitted.model, SIZES.choosing_images)
    assert chosen.attributor is not None
    rows = np.setdiff1d(np.arange(len(TEST.data)), chosen.rows)[:32]
    maps = chosen.attributor.maps(TEST.data.pixels(rows), TEST.data.labels[rows][:, None])[:, 0]
    assert share_inside(maps, TEST.inside[rows]) > 3 * TEST.inside[rows].mean()


def share_inside(maps: np.ndarray, inside: np.ndarray) -> float:
    """The share of the positive evidence in the planted patches, where one cell covers many pixels."""
    factor = inside.shape[1] / maps.shape[1]
    place = (np.arange(inside.shape[1]) / factor).astype(int)
    large = np.maximum(maps, 0)[:, place][:, :, place]
    return float((large * inside).sum() / large.sum())


@pytest.mark.slow
@pytest.mark.study
@pytest.mark.parametrize(
    ("cue", "verdicts"), [("background", {"BIASED"}), ("object", {"CLEAR", "INCONCLUSIVE"})]
)
def test_a_background_cue_in_a_vision_transformer(cue: str, verdicts: set[str]) -> None:
    train, test = (discs_on_grounds(n, cue=cue, seed=seed) for n, seed in ((512, 3), (120, 4)))
    module = trained("vit_tiny", train.data)
    fitted = fit_to_data(network_of_module(module, "vit", documented=FORMAT), test.data)
    sizes = SampleSizes(8, 40, 0, 0, 0)
    _, found = examined(fitted, test, sizes)
    whole = found.evidence["context"].frame.filter((pl.col("test") == "swap") & (pl.col("class") == "all"))
    assert whole["verdict"][0] in verdicts
