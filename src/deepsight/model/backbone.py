"""A timm backbone as a chain of stages, cut into frozen and trainable ones, with a linear head."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from timm.models import ConvNeXt, EfficientNet, ResNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError
from deepsight.model.layers.fuse_batchnorm import fuse, norms_after_convolutions, unfused_state
from deepsight.model.layers.pooling import pooled_maps
from deepsight.model.traced_backbone import classifier_name, fixed_side, traced_parts

HEAD_NAMES = {ResNet: "fc", EfficientNet: "classifier", VGG: "head.fc", ConvNeXt: "head.fc"}
EXAMPLE_SIDE = 64  # pixels, of the image from which the shapes of the maps are read


def stages_of(backbone: nn.Module) -> list[tuple[str, nn.Module]]:
    """A backbone of the four families as a chain: maps (b, c, h, w) from each stage to the next."""
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
    raise ValueError(f"Expected one of the four families, received a {type(backbone).__name__}.")


def first_trainable(sides: Sequence[int], reductions: int = 2) -> int:
    """The position of the first trainable stage: from there on the map's side is reduced `reductions` times.

    For a ResNet with 2 these are stages 3 and 4. A network with too few reductions, such as a transformer,
    trains that many of its last blocks instead. With 0 only the head is trained.

    Args:
        sides: of the map, before the first stage and after each.
        reductions: number of reductions that the trainable stages contain.
    """
    stages = len(sides) - 1
    if not reductions:
        return stages
    places = [i for i in range(stages) if sides[i + 1] < sides[i]]
    return places[-reductions] if len(places) > reductions else max(1, stages - 1 - reductions)


def positions_along(maps: Tensor) -> int:
    """Cells along a side of maps (b, c, h, w) or (b, h, w, c), the number of tokens of (b, t, d), else 1."""
    if maps.ndim == 4:
        return int(maps.shape[1] if maps.shape[1] == maps.shape[2] != maps.shape[3] else maps.shape[3])
    return int(maps.shape[1]) if maps.ndim == 3 else 1


class Classifier(nn.Module):
    """Backbone, global average pooling, linear head: `logit_c = b_c + mean_p W_c · A(p)`.

    With this head the evidence for every class at every position is exact (interpret.attribution; CAM, Zhou
    et al. 2016). Backbones of other families keep their own pooling.

    Attributes:
        backbone: the timm model, whose parameters keep their timm names.
        known_family: whether it is a ResNet, an EfficientNet, a VGG or a ConvNeXt.
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
        self.known_family = isinstance(backbone, tuple(HEAD_NAMES))
        chain = stages_of(backbone) if self.known_family else traced_parts(backbone)
        self.stage_names = [name for name, _ in chain]
        self.parts = nn.ModuleList() if self.known_family else nn.ModuleList(part for _, part in chain)
        side = fixed_side(backbone) or EXAMPLE_SIDE
        example = torch.zeros(1, 3, side, side)
        maps = self._stage_maps(example)
        sides = [side, *map(positions_along, maps)]
        if maps[-1].ndim == 2:  # features that the last part has pooled, which does not count as a reduction
            sides[-1] = sides[-2]
        self.cut = first_trainable(sides, trained_reductions)
        self.pairs = (
            norms_after_convolutions(backbone, self.forward_features, example) if self.known_family else {}
        )
        self.head = nn.Linear(maps[-1].shape[1], k)

    def _stages(self) -> list[nn.Module]:
        if len(self.parts):
            return list(self.parts)
        # Derived at each call: fusing replaces the modules of a stage, and a copy has its own.
        return [stage for _, stage in stages_of(self.backbone)]

    def _stage_maps(self, x: Tensor) -> list[Tensor]:
        maps = []
        with torch.no_grad():
            for stage in self._stages():
                x = stage(x)
                maps.append(x)
        return maps

    def sides(self, resolution: int) -> dict[str, int]:
        """Cells along one side of the map after each stage, for square images of this resolution.

        Raises:
            DeepSightError: the network is not of the four families, so its head does not average maps.
        """
        if not self.known_family:
            raise DeepSightError(
                "Expected a network that averages its last maps, but this backbone has its own pooling: maps "
                "of the evidence exist for ResNet, EfficientNet, VGG and ConvNeXt only."
            )
        example = torch.zeros(1, 3, resolution, resolution, device=self.head.weight.device)
        pairs = zip(self.stage_names, self._stage_maps(example), strict=True)
        return {name: positions_along(maps) for name, maps in pairs}

    @property
    def stages(self) -> nn.Sequential:
        """All stages: images to the last maps."""
        return nn.Sequential(*self._stages())

    def stages_to(self, stage: str) -> nn.Sequential:
        """The stages up to and including this one: images to its maps."""
        return nn.Sequential(*self._stages()[: self.stage_names.index(stage) + 1])

    def after(self, stage: str) -> nn.Sequential:
        """From the maps after a stage to logits (b, k): the later stages by name, then "head"."""
        rest = list(zip(self.stage_names, self._stages(), strict=True))[self.stage_names.index(stage) + 1 :]
        pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if self.known_family else []
        head = nn.Sequential(*pooling, self.head)
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
        """Fuse every batch norm: after training, or before it if the recipe trains without batch norm."""
        fuse(self.backbone, self.pairs, self._stages())

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (b, 3, h, w), normalised, to the last maps (b, d, h', w'), or features (b, d)."""
        for stage in self._stages():
            x = stage(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, 3, h, w), normalised, to logits (b, k)."""
        return torch.as_tensor(self.head(pooled_maps(self.forward_features(x))))

    def _head_name(self) -> str:
        known = (name for family, name in HEAD_NAMES.items() if isinstance(self.backbone, family))
        return next(known, classifier_name(self.backbone))

    def timm_state(self) -> dict[str, Tensor]:
        """Every tensor under its timm name; the head under the name of the family's classifier."""
        head = self._head_name()
        state = unfused_state(self.backbone, self.original_state, self.pairs)
        return {**state, **{f"{head}.{k}": v.detach().clone() for k, v in self.head.state_dict().items()}}

    def load_timm_state(self, state: dict[str, Tensor]) -> None:
        """Load a state from `timm_state`; call it before any fusing."""
        head = self._head_name()
        rest = {name: value for name, value in state.items() if not name.startswith(f"{head}.")}
        self.backbone.load_state_dict(rest)
        self.original_state = {name: value.clone() for name, value in rest.items()}
        self.head.load_state_dict({k: state[f"{head}.{k}"] for k in ("weight", "bias")})
