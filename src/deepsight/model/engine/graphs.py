"""Modules that an engine runs: stages with the outputs that a caller needs from one pass."""

from torch import Tensor, nn

from deepsight.model.layers.pooling import pooled_maps


class StageMapsGraph(nn.Module):
    """Images to the maps after some stages."""

    def __init__(self, stages: nn.Module) -> None:
        super().__init__()
        self.stages = stages

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.stages(x),)


class FeaturesAndMaps(nn.Module):
    """Images to pooled features (b, d) and the maps before pooling, in one pass."""

    def __init__(self, stages: nn.Module) -> None:
        super().__init__()
        self.stages = stages

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.stages(x)
        return pooled_maps(maps), maps


class FeaturesGraph(nn.Module):
    """Images to pooled features (b, d)."""

    def __init__(self, stages: nn.Module) -> None:
        super().__init__()
        self.stages = stages

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (pooled_maps(self.stages(x)),)


class FeaturesOfTwo(nn.Module):
    """Images to the pooled features of two networks that share their first stages."""

    def __init__(self, shared: nn.Module, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.shared, self.first, self.second = shared, first, second

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.shared(x)
        return pooled_maps(self.first(maps)), pooled_maps(self.second(maps))
