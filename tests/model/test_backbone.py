"""Where the network is cut, and that what is saved is plain timm, bit for bit."""

import copy

import pytest
import timm
import torch

from backbones import build, images
from deepsight.model.backbone import Classifier, first_trainable


def with_head(name: str) -> Classifier:
    classifier = Classifier(build(name), 10)
    torch.nn.init.normal_(classifier.head.weight, std=0.1)
    torch.nn.init.normal_(classifier.head.bias)
    return classifier


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frozen_ends", "trainable_begins"),
    [
        ("resnet18", "stage 2", "stage 3"),
        ("resnet50", "stage 2", "stage 3"),
        ("tf_efficientnet_lite0", "blocks 2", "blocks 3"),
        ("vgg16_bn", "block 3", "block 4"),
        ("convnext_atto", "stage 2", "stage 3"),
    ],
)
def test_the_last_two_reductions_are_trainable(name, frozen_ends, trainable_begins):
    classifier = Classifier(build(name), 10)
    assert classifier.last_frozen_stage == frozen_ends
    assert classifier.stage_names[classifier.cut] == trainable_begins
    with torch.inference_mode():
        maps = classifier.frozen_stages(images())
        assert maps.shape[-1] == 4 * classifier.trainable_stages(maps).shape[-1]
        torch.testing.assert_close(classifier.trainable_stages(maps), classifier.forward_features(images()))


@pytest.mark.parametrize(("reductions", "place"), [(2, 3), (1, 4), (0, 5)])
def test_fewer_reductions_move_the_cut_down(reductions, place):
    assert first_trainable([64, 16, 16, 8, 4, 2], reductions) == place
    assert Classifier(build("resnet18"), 10, trained_reductions=reductions).cut == place


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("folded", [False, True])
def test_plain_timm_loads_the_state_and_gives_the_same_logits(name, folded):
    classifier = with_head(name)
    if folded:
        classifier.fuse_all()
    plain = timm.create_model(name, num_classes=10)
    plain.load_state_dict(classifier.timm_state())
    with torch.inference_mode():
        ours, theirs = classifier(images()), plain.eval()(images())
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "vgg16_bn", "convnext_atto"])
def test_a_state_that_is_saved_loaded_and_saved_again_keeps_every_bit(name):
    classifier = with_head(name)
    classifier.fuse_all()
    state = classifier.timm_state()
    again = Classifier(build(name), 10)
    again.load_timm_state(state)
    again.fuse_all()
    second = again.timm_state()
    assert list(second) == list(state)
    assert all(torch.equal(second[key], value) for key, value in state.items())
    with torch.inference_mode():
        assert torch.equal(classifier(images()), again(images()))


def test_logits_are_the_mean_of_the_evidence_over_places():
    classifier = with_head("resnet18")
    with torch.inference_mode():
        maps = classifier.forward_features(images())
        evidence = torch.einsum("kd,ndhw->nkhw", classifier.head.weight, maps)
        expected = evidence.mean((2, 3)) + classifier.head.bias
        torch.testing.assert_close(classifier(images()), expected)


def test_running_to_a_stage_and_on_from_it_is_the_whole():
    classifier = with_head("resnet18")
    with torch.inference_mode():
        maps = classifier.stages_to("stage 3")(images())
        rest = classifier.after("stage 3")
        torch.testing.assert_close(rest(maps), classifier(images()))
    assert [name for name, _ in rest.named_children()] == ["stage 4", "head"]
    assert list(classifier.sides(128).values()) == [32, 32, 16, 8, 4]


@pytest.mark.slow
def test_a_copy_is_folded_alone():
    classifier = Classifier(build("resnet18"), 10)
    folded = copy.deepcopy(classifier)
    folded.fuse_all()
    assert isinstance(classifier.backbone.bn1, torch.nn.BatchNorm2d)
