"""Maps are pooled over their positions, never over their channels."""

import torch

from deepsight.model.foreign.penultimate import pooled_output


def test_maps_that_are_not_square_are_pooled_over_positions() -> None:
    maps = torch.rand(2, 6, 3, 5)
    torch.testing.assert_close(pooled_output(maps), maps.mean((2, 3)))
    torch.testing.assert_close(pooled_output(maps.permute(0, 2, 3, 1), nhwc=True), maps.mean((2, 3)))


def test_square_maps_show_where_their_channels_are() -> None:
    maps = torch.rand(2, 6, 4, 4)
    for nhwc in (False, True):
        torch.testing.assert_close(pooled_output(maps, nhwc=nhwc), maps.mean((2, 3)))
        torch.testing.assert_close(pooled_output(maps.permute(0, 2, 3, 1), nhwc=nhwc), maps.mean((2, 3)))


def test_tokens_are_averaged_and_vectors_kept() -> None:
    tokens = torch.rand(2, 7, 5)
    torch.testing.assert_close(pooled_output(tokens), tokens.mean(1))
    torch.testing.assert_close(pooled_output(tokens[:, 0]), tokens[:, 0])
