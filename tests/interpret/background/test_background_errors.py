"""Errors that a planted background makes are found, and others are not."""

import numpy as np

from deepsight.core.evidence import Table
from deepsight.interpret.background.background_errors import (
    background_errors,
    background_support,
    neutral_design,
)
from scenes import CLASSES, looks_at_corner, looks_at_object, scenes


def both(images: np.ndarray) -> np.ndarray:
    """Reads object and corner; the corner wins where it is red."""
    corner = images[:, :2, :2].mean(axis=(1, 2))
    red = (corner[:, 0] > 90) & (corner[:, 1] < 60)
    return looks_at_object(images) + 3 * red[:, None] * looks_at_corner(images)


def test_flags_errors_of_the_background_only() -> None:
    images, labels, masks = scenes(120, aligned=0.3, seed=3)
    predicted = both(images).argmax(axis=1)
    stubborn = np.flatnonzero(predicted == labels)[:10]
    predicted[stubborn] = (labels[stubborn] + 1) % 4  # said to be wrong, but not because of any background
    table = background_errors(
        images, labels, predicted, masks, both, ids=np.arange(1000, 1120), classes=CLASSES
    )
    frame = table.frame
    made_by_red = set(1000 + np.flatnonzero(both(images).argmax(axis=1) != labels))
    assert len(made_by_red) > 5
    assert set(frame.filter("flagged")["index"]) == made_by_red
    assert set(frame["index"]) == made_by_red | set(1000 + stubborn)
    assert frame["without_background"].null_count() == frame.height
    assert "the background explains more than chance" in table.caption
    without = frame.drop("placebo_share")
    older = Table(without, dict.fromkeys(without.columns, "as made"), 1, "As made.", "An earlier run.")
    assert np.nanmax(background_support(older, np.arange(1000, 1120))) == 1
    support = background_support(table, np.arange(1000, 1120))
    assert set(1000 + np.flatnonzero(support > 0.5)) == made_by_red
    assert np.isnan(support).sum() == 120 - frame.height
    assert (support[stubborn] == 0).all()


def test_errors_that_any_change_mends_are_not_blamed_on_the_background() -> None:
    """A model that errs only on the exact image: every swap mends it, and so does every change of light."""
    images, labels, masks = scenes(60)
    known = {image.tobytes() for image in images}

    def brittle(x: np.ndarray) -> np.ndarray:
        exact = np.array([image.tobytes() in known for image in x])
        return np.where(exact[:, None], np.roll(looks_at_object(x), 1, axis=1), looks_at_object(x))

    wrong = brittle(images).argmax(axis=1)
    table = background_errors(
        images, labels, wrong, masks, brittle, ids=np.arange(60), classes=CLASSES, donors=5
    )
    assert table.frame["placebo_share"].to_numpy().mean() > 0.9
    assert not table.frame["flagged"].any()
    assert np.nanmax(background_support(table, np.arange(60))) < 0.1
    assert "is not shown to explain more than chance" in table.caption


def test_backgrounds_help_neither_answer() -> None:
    labels = np.arange(40) % 4
    predicted = (labels + 1) % 4
    chosen = neutral_design(np.arange(10), labels, predicted, np.ones(40, dtype=bool), donors=5, seed=0)
    assert (labels[chosen.donor] != labels[chosen.subject]).all()
    assert (labels[chosen.donor] != predicted[chosen.subject]).all()
    assert len(chosen) == 50


def test_rejected_masks_and_right_answers_have_no_row() -> None:
    images, labels, masks = scenes(40)
    table = background_errors(
        images, labels, labels, masks, looks_at_object, ids=np.arange(40), classes=CLASSES,
        alone=looks_at_object(images),
    )  # fmt: skip
    assert table.frame.height == 0
    none = type(masks)(masks.inside, np.zeros(40, dtype=bool))
    wrong = background_errors(
        images, labels, (labels + 1) % 4, none, looks_at_object, ids=np.arange(40), classes=CLASSES
    )
    assert wrong.frame.height == 0


def test_of_two_classes_no_error_has_a_neutral_background() -> None:
    images, labels, masks = scenes(40)
    two = labels < 2
    table = background_errors(
        images[two], labels[two], 1 - labels[two], masks.select(np.flatnonzero(two)), looks_at_object,
        ids=np.flatnonzero(two), classes=CLASSES[:2],
    )  # fmt: skip
    assert table.frame.is_empty()
    assert table.caption.startswith("No error had")
    assert np.isnan(background_support(table, np.flatnonzero(two))).all()
