"""A timm backbone as a chain of stages, cut into a frozen and trainable stages, with our own head."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from timm.models import ConvNeXt, EfficientNet, ResNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from deepsight.core.errors import UsageError
from deepsight.model.fuse_batchnorm import fuse, pairs_of, unfused_state

HEAD_NAMES = {ResNet: "fc", EfficientNet: "classifier", VGG: "head.fc", ConvNeXt: "head.fc"}


def stages_of(backbone: nn.Module) -> list[tuple[str, nn.Module]]:
    """The backbone as a chain: each stage's output is the next one's input, (b, c, h, w) throughout.

    Raises:
        UsageError: the architecture is of a family that is not known here.
    """
    if isinstance(backbone, ResNet):
        stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
        return [("stem", stem), *((f"stage {i}", getattr(backbone, f"layer{i}")) for i in (1, 2, 3, 4))]
    if isinstance(backbone, EfficientNet):
        stem, top = (
            nn.Sequential(backbone.conv_stem, backbone.bn1),
            nn.Sequential(backbone.conv_head, backbone.bn2),
        )
        return [("stem", stem), *((f"blocks {i}", b) for i, b in enumerate(backbone.blocks)), ("top", top)]
    if isinstance(backbone, ConvNeXt):
        return [("stem", backbone.stem), *((f"stage {i}", s) for i, s in enumerate(backbone.stages, 1))]
    if isinstance(backbone, VGG):
        ends = [i for i, layer in enumerate(backbone.features) if isinstance(layer, nn.MaxPool2d)]
        starts = [0, *(end + 1 for end in ends[:-1])]
        return [
            (f"block {i}", backbone.features[start : end + 1])
            for i, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
        ]
    raise UsageError(
        f"Expected a backbone of the families ResNet, EfficientNet, VGG or ConvNeXt, received a "
        f"{type(backbone).__name__}. Choose one of those, or study its predictions: deepsight examine."
    )


def first_trainable(sides: Sequence[int], reductions: int = 2) -> int:
    """The position of the first trainable stage: from it on, the map's side is reduced `reductions` times.

    For a ResNet the last two are stages 3 and 4. With 0 no stage is trainable, and only the head is trained.
    `sides` are the map's sides before the first and after each stage.
    """
    places = [i for i in range(len(sides) - 1) if sides[i + 1] < sides[i]]
    return places[-reductions] if reductions else len(sides) - 1


class Classifier(nn.Module):
    """Backbone, global average pooling, linear head: `logit_c = b_c + mean_p W_c · A(p)`.

    With this head the evidence for every class at every position is exact (interpret.attribution).

    Attributes:
        backbone: the timm model, whose parameters keep their timm names.
        stage_names: names of the chain's stages.
        cut: position of the first trainable stage; the stages before it are frozen.
        head: (d features) to (k logits).
    """

    def __init__(self, backbone: nn.Module, k: int, *, trained_reductions: int = 2) -> None:
        super().__init__()
        backbone.reset_classifier(0)  # type: ignore[operator]
        if isinstance(backbone, VGG):
            backbone.pre_logits = nn.Identity()
        self.original_state = {name: value.clone() for name, value in backbone.state_dict().items()}
        self.backbone = backbone.eval().to(memory_format=torch.channels_last)
        chain = stages_of(backbone)
        self.stage_names = [name for name, _ in chain]
        example = torch.zeros(1, 3, 64, 64)
        shapes = self._shapes(example)
        self.cut = first_trainable([64, *(shape[-1] for shape in shapes)], trained_reductions)
        self.pairs = pairs_of(backbone, self.forward_features, example)
        self.head = nn.Linear(shapes[-1][1], k)

    def _stages(self) -> list[nn.Module]:
        # Derived anew each time: fusing replaces the modules of a stage, and a copy holds its own.
        return [stage for _, stage in stages_of(self.backbone)]

    def _shapes(self, x: Tensor) -> list[torch.Size]:
        shapes = []
        with torch.no_grad():
            for stage in self._stages():
                x = stage(x)
                shapes.append(x.shape)
        return shapes

    def sides(self, resolution: int) -> dict[str, int]:
        """Cells along one side of the map after each stage, for square images of this resolution."""
        example = torch.zeros(1, 3, resolution, resolution, device=self.head.weight.device)
        shapes = self._shapes(example)
        return {name: int(shape[-1]) for name, shape in zip(self.stage_names, shapes, strict=True)}

    @property
    def stages(self) -> nn.Sequential:
        """All stages: images to the last maps."""
        return nn.Sequential(*self._stages())

    def stages_to(self, stage: str) -> nn.Sequential:
        """The stages up to one and with it: images to its maps."""
        return nn.Sequential(*self._stages()[: self.stage_names.index(stage) + 1])

    def after(self, stage: str) -> nn.Sequential:
        """The maps after a stage to logits (b, k): the later stages by name, then "head" with the pooling."""
        rest = list(zip(self.stage_names, self._stages(), strict=True))[self.stage_names.index(stage) + 1 :]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), self.head)
        return nn.Sequential(OrderedDict([*rest, ("head", head)]))

    @property
    def frozen_stages(self) -> nn.Sequential:
        """The stages before the cut, which are never trained."""
        return nn.Sequential(*self._stages()[: self.cut])

    @property
    def trainable_stages(self) -> nn.Sequential:
        """The stages from the cut on."""
        return nn.Sequential(*self._stages()[self.cut :])

    @property
    def last_frozen_stage(self) -> str:
        """The name of the last frozen stage."""
        return self.stage_names[self.cut - 1]

    def fuse_frozen(self) -> None:
        """Fuse the batch norms of the frozen stages into their convolutions."""
        fuse(self.backbone, self.pairs, self._stages()[: self.cut])

    def fuse_all(self) -> None:
        """Fuse every batch norm: after training, or before it where the recipe trains without them."""
        fuse(self.backbone, self.pairs, self._stages())

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (b, 3, h, w), normalised, to the last maps (b, d, h', w')."""
        for stage in self._stages():
            x = stage(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, 3, h, w), normalised, to logits (b, k)."""
        return torch.as_tensor(self.head(self.forward_features(x).mean((2, 3))))

    def timm_state(self) -> dict[str, Tensor]:
        """Every tensor under its timm name; the head under the name of the family's own classifier."""
        head = next(name for family, name in HEAD_NAMES.items() if isinstance(self.backbone, family))
        state = unfused_state(self.backbone, self.original_state, self.pairs)
        return {**state, **{f"{head}.{k}": v.detach().clone() for k, v in self.head.state_dict().items()}}

    def load_timm_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `timm_state` gave; call it before any fusing."""
        head = next(name for family, name in HEAD_NAMES.items() if isinstance(self.backbone, family))
        rest = {name: value for name, value in state.items() if not name.startswith(f"{head}.")}
        self.backbone.load_state_dict(rest)
        self.original_state = {name: value.clone() for name, value in rest.items()}
        self.head.load_state_dict({k: state[f"{head}.{k}"] for k in ("weight", "bias")})
