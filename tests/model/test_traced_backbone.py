"""Any timm classifier is cut into parts that give what it gives whole, and trains like the four families."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.model.backbone import Classifier, first_trainable
from deepsight.model.engine import ForwardEngine, using_settings
from deepsight.model.engine.graphs import FeaturesAndMaps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.model_file import load_model, save_model
from deepsight.model.pretrained import Pretrained, load_pretrained
from deepsight.model.traced_backbone import create_backbone, fixed_side, traced_parts
from deepsight.model.training.fit import base_recipe, fit_model
from small import SMALL

HALF = (0.5, 0.5, 0.5)
NAMES = (
    "test_vit", "deit_tiny_patch16_224", "vit_tiny_patch16_224", "regnety_002", "mobilenetv4_conv_small",
    pytest.param("swin_tiny_patch4_window7_224", marks=pytest.mark.slow),
    pytest.param("vit_small_patch14_dinov2", marks=pytest.mark.slow),
)  # fmt: skip


def backbone_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return create_backbone(name).eval()


def images(backbone: nn.Module, n: int = 2) -> torch.Tensor:
    side = fixed_side(backbone) or 64
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def whole(backbone: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return backbone.forward_head(backbone.forward_features(x), pre_logits=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_parts_give_what_the_whole_gives(name):
    backbone = backbone_of(name)
    parts, x = traced_parts(backbone), images(backbone)
    with torch.inference_mode():
        found = x
        for _, part in parts:
            found = part(found)
        torch.testing.assert_close(found, whole(backbone, x), rtol=1e-5, atol=1e-5)
    own = {id(p) for p in backbone.parameters()}
    assert {id(p) for _, part in parts for p in part.parameters()} <= own
    assert len(parts) > 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "last_frozen"),
    [("test_vit", None), ("vit_tiny_patch16_224", "blocks 9"), ("regnety_002", "s2")],
)
def test_the_last_blocks_are_trained(name, last_frozen):
    classifier = Classifier(backbone_of(name), 5)
    assert not classifier.known_family
    assert classifier.last_frozen_stage == (last_frozen or classifier.stage_names[classifier.cut - 1])
    assert 0 < classifier.cut < len(classifier.stage_names)
    x = images(classifier.backbone)
    with torch.inference_mode():
        maps = classifier.frozen_stages(x)
        torch.testing.assert_close(classifier.trainable_stages(maps), whole(classifier.backbone, x))
        torch.testing.assert_close(
            classifier.after(classifier.last_frozen_stage)(maps), classifier(x), rtol=1e-4, atol=1e-4
        )


def test_a_transformer_trains_as_many_blocks_as_reductions_were_asked():
    tokens = [224, *[197] * 12, 197]
    assert [first_trainable(tokens, count) for count in (2, 1, 0)] == [10, 11, 13]


def test_a_copy_shares_its_own_parameters_and_not_the_original_s():
    classifier = Classifier(backbone_of("test_vit"), 5)
    copied = copy.deepcopy(classifier)
    own = {id(p) for p in copied.backbone.parameters()}
    assert {id(p) for p in copied.parts.parameters()} <= own
    assert not own & {id(p) for p in classifier.parameters()}


def test_plain_timm_loads_the_state_and_gives_the_same_logits():
    classifier = Classifier(backbone_of("test_vit"), 5).eval()
    nn.init.normal_(classifier.head.weight)
    plain = timm.create_model("test_vit", num_classes=5).eval()
    plain.load_state_dict(classifier.timm_state())
    x = images(classifier.backbone)
    with torch.inference_mode():
        torch.testing.assert_close(plain(x), classifier(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "regnety_002"])
@pytest.mark.slow
def test_the_engine_answers_as_torch_does(name):
    classifier = Classifier(backbone_of(name), 5).eval()
    x = images(classifier.backbone, 3)
    engine = ForwardEngine(FeaturesAndMaps(classifier.stages), compile_after=0)
    with using_settings(EngineSettings("openvino")):
        ((features, _),) = engine.run([x], len(x))
    assert engine.reason == ""
    with torch.inference_mode():
        torch.testing.assert_close(features, classifier.forward_features(x), rtol=1e-4, atol=1e-4)


def test_batch_norms_of_trained_parts_keep_their_statistics():
    classifier = Classifier(backbone_of("regnety_002"), 5).train()
    norms = [m for m in classifier.trainable_stages.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


def test_maps_are_refused_with_the_reason():
    with pytest.raises(DeepSightError, match="its own pooling"):
        Classifier(backbone_of("test_vit"), 5).sides(160)


@pytest.mark.parametrize("name", ["test_vit", "mobilenetv4_conv_small"])
def test_it_trains_is_saved_and_answers_the_same_when_loaded(name, splits, fabric, tmp_path):
    pretrained = Pretrained(backbone_of(name), name, "random weights", "", (), HALF, HALF)
    few = replace(
        splits, train=splits.train.select(np.arange(64)), validation=splits.validation.select(np.arange(32))
    )
    recipe = replace(
        base_recipe(pretrained, 0), resolution=pretrained.side or 32, epochs=2, views=1, batch=32
    )
    assert recipe.base_ratio < SMALL.base_ratio
    before = {key: value.clone() for key, value in pretrained.backbone.state_dict().items()}
    fitted = fit_model(pretrained, few, recipe, cache=FeatureCache(tmp_path), fabric=fabric)
    assert fitted.history["phase"].to_list() == ["frozen", "finetune", "finetune"]
    after = fitted.predictor.classifier.backbone.state_dict()
    changed = [key for key, value in before.items() if not torch.equal(value, after[key])]
    assert 0 < len(changed) < len(before) or fitted.kept == "frozen"
    save_model(tmp_path, fitted, pretrained, splits.classes, recipe)
    pixels = splits.test.pixels(np.arange(4))
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.logits(pixels), fitted.predictor.logits(pixels))


def test_batch_norm_that_adapts_is_refused(splits, fabric, tmp_path):
    pretrained = Pretrained(backbone_of("regnety_002"), "regnety_002", "", "", (), HALF, HALF)
    recipe = replace(SMALL, batch_norm="training")
    with pytest.raises(UsageError, match="batch_norm 'frozen' for this backbone"):
        fit_model(pretrained, splits, recipe, cache=FeatureCache(tmp_path), fabric=fabric)


@pytest.mark.slow
def test_a_network_of_another_fixed_size_is_made_for_224():
    assert fixed_side(create_backbone("vit_small_patch14_dinov2")) == 224
    assert fixed_side(create_backbone("test_vit")) == 160
    assert fixed_side(create_backbone("regnety_002")) is None


def test_weights_that_cannot_be_reached_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    name = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    with pytest.raises(DeepSightError, match=f"weights for {name}"):
        load_pretrained(name, offline=True)


def test_cutmix_on_tokens_is_refused(splits, fabric, tmp_path):
    pretrained = Pretrained(backbone_of("test_vit"), "test_vit", "", "", (), HALF, HALF)
    few = replace(
        splits, train=splits.train.select(np.arange(16)), validation=splits.validation.select(np.arange(16))
    )
    recipe = replace(base_recipe(pretrained, 0), resolution=160, mix="cutmix")
    with pytest.raises(UsageError, match="mix_on 'images' for CutMix"):
        fit_model(pretrained, few, recipe, cache=FeatureCache(tmp_path), fabric=fabric)
