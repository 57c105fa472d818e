"""Pictures of composites: what is in them, and in which frame."""

import cv2
import numpy as np
import pytest

from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.pair_swap import PairSwap, pair_swap
from deepsight.interpret.background.pictures import (
    FRAME,
    GAP,
    OTHER,
    OWN,
    TILE,
    draw_context,
    effects_by_object,
)
from scenes import CLASSES, looks_at_corner, looks_at_object, scenes

SIDE = TILE + 2 * FRAME + GAP


def near(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """The same colour, but for what the compression changes."""
    return bool(np.abs(pixel.astype(int) - colour).max() < 40)


def swapped(predict: object) -> tuple[PairSwap, Cutouts, np.ndarray]:
    images, labels, masks = scenes(80)
    parts = cut_out(images, masks)
    found = pair_swap(
        parts, labels, masks.accepted, predict,  # type: ignore[arg-type]
        pair=(0, 2), classes=CLASSES, objects=20, donors=2, seed=1,
    )  # fmt: skip
    assert found is not None
    return found, parts, labels


@pytest.mark.parametrize(("predict", "frame"), [(looks_at_corner, OTHER), (looks_at_object, OWN)])
def test_the_frame_tells_whether_the_answer_follows_the_background(
    predict: object, frame: tuple[int, int, int]
) -> None:
    found, parts, labels = swapped(predict)
    drawn = draw_context([found], parts, labels, labels, CLASSES, seed=0)
    made, pictures = drawn.evidence["context_pictures"], drawn.pictures
    row = made.frame.row(0, named=True)
    picture = cv2.imdecode(np.frombuffer(pictures[row["file"]], np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert picture.shape == (8 * SIDE, 6 * SIDE + 2 * GAP, 3)
    assert near(picture[1, 1], OWN)  # the image as it is, which is classified rightly
    assert near(picture[1, 1 + SIDE], OWN)  # on a background of its own class
    assert near(picture[1, 1 + 2 * SIDE], frame)  # on one of the other class
    assert row["on_other"] == (frame == OTHER)
    assert row["on_own"] == 0
    assert made.n == 1


def test_pull_is_the_difference_of_shares_by_hand() -> None:
    found, _, labels = swapped(looks_at_corner)
    rng = np.random.default_rng(0)
    answers = rng.integers(4, size=len(found.answers))
    found = PairSwap(found.pair, found.chosen, answers, found.effect)
    objects = np.unique(found.chosen.subject)
    for value, inputs in zip(effects_by_object(found, labels, objects), objects, strict=True):
        other = 2 if labels[inputs] == 0 else 0
        shares = []
        for own in (False, True):
            rows = (found.chosen.subject == inputs) & ((labels[found.chosen.donor] == labels[inputs]) == own)
            shares.append((answers[rows] == other).mean())
        assert value == pytest.approx(shares[0] - shares[1])


def test_few_objects_leave_places_empty() -> None:
    images, labels, masks = scenes(24)
    parts = cut_out(images, masks)
    found = pair_swap(
        parts, labels, masks.accepted, looks_at_object,
        pair=(0, 2), classes=CLASSES, objects=3, donors=1, seed=1,
    )  # fmt: skip
    assert found is not None
    drawn = draw_context([found], parts, labels, labels, CLASSES, seed=0)
    made, pictures = drawn.evidence["context_pictures"], drawn.pictures
    assert made.frame["objects"].to_list() == [6]
    assert len(pictures) == 1
