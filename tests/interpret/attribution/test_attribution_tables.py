"""The table of the most confident errors."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.interpret.attribution.attribution_tables import (
    attribution_table,
    confident_errors,
    map_values_table,
)
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.background.grabcut import Masks

CLASSES = ("cat", "dog", "ship")
LAYER = Layer("layer3", 4, "Only 4 × 4 cells.")


def errors() -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([0, 0, 0, 1, 2, 0])
    p = np.array(
        [
            [0.1, 0.9, 0.0],
            [0.3, 0.7, 0.0],
            [0.8, 0.1, 0.1],
            [0.6, 0.4, 0.0],
            [0.2, 0.1, 0.7],
            [0.0, 0.95, 0.05],
        ]
    )
    return labels, p


def test_most_confident_first_pair_by_pair() -> None:
    labels, p = errors()
    assert confident_errors(labels, p, [(0, 1), (1, 0)], per_pair=2).tolist() == [5, 0, 3]
    assert confident_errors(labels, p, [(0, 1), (0, 1)], per_pair=9).tolist() == [5, 0, 1]
    assert confident_errors(labels, p, [(2, 0)], per_pair=4).tolist() == []
    assert confident_errors(labels, p, [], per_pair=4).tolist() == []


def planted() -> tuple[np.ndarray, Masks]:
    """Evidence for the wrong class on the object, in the corner, and an image whose mask was rejected."""
    inside = np.zeros((3, 128, 128), dtype=bool)
    inside[:, 32:96, 32:96] = True
    maps = np.zeros((3, 2, 4, 4))
    maps[0, 0, 1:3, 1:3] = 1
    maps[1:, 0, 0, 0] = 1
    return maps, Masks(inside, np.array([True, True, False]))


def test_says_where_the_evidence_is() -> None:
    maps, masks = planted()
    labels, p = errors()
    ids = np.array([50, 7, 9999])
    made = attribution_table(
        maps,
        masks,
        ids=ids,
        labels=labels[:3],
        probabilities=p[:3],
        classes=CLASSES,
        layer=LAYER,
        kind="hirescam",
    )
    assert Evidence().add(attribution=made)["attribution"].n == 3
    frame = made.frame
    assert frame["object_share"].to_list() == [1.0, 0.0, None]
    assert frame["peak_inside"].to_list() == [True, False, None]
    assert frame["object_area"].to_list() == [0.25, 0.25, None]
    assert frame["index"].to_list() == ids.tolist()
    assert frame["predicted"].to_list() == ["dog", "dog", "cat"]
    assert frame["file"][2] == "maps/test-09999.webp"
    assert frame["mirror_agreement"].null_count() == 3
    assert "2 are usable" in made.method


def test_mirrored_views_are_compared() -> None:
    maps, masks = planted()
    labels, p = errors()
    made = attribution_table(
        maps, masks, ids=np.arange(3), labels=labels[:3], probabilities=p[:3], classes=CLASSES, layer=LAYER,
        kind="hirescam", mirrored=maps[..., ::-1],
    )  # fmt: skip
    np.testing.assert_allclose(made.frame["mirror_agreement"].to_numpy(), 1)


def test_no_errors_give_an_empty_table() -> None:
    none = Masks(np.zeros((0, 128, 128), dtype=bool), np.zeros(0, dtype=bool))
    made = attribution_table(
        np.zeros((0, 2, 4, 4)), none, ids=np.zeros(0, dtype=np.int64), labels=np.zeros(0, dtype=np.int64),
        probabilities=np.zeros((0, 3)), classes=CLASSES, layer=LAYER, kind="hirescam",
    )  # fmt: skip
    assert made.frame.height == 0


def test_arrays_of_different_length_are_refused() -> None:
    maps, masks = planted()
    labels, p = errors()
    with pytest.raises(DeepSightError, match="as many"):
        attribution_table(
            maps,
            masks,
            ids=np.arange(3),
            labels=labels,
            probabilities=p,
            classes=CLASSES,
            layer=LAYER,
            kind="x",
        )


def test_raw_values_are_in_a_table() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype(np.float32)
    asked = np.array([[1, 0], [2, 1], [0, 2]])
    frame = map_values_table(maps, asked, ids=np.array([50, 7, 9999]), classes=CLASSES, layer=LAYER).frame
    assert frame.height == maps.size
    for i, c, y, x in [(0, 0, 0, 0), (1, 1, 3, 4), (2, 0, 1, 2)]:
        cell = frame.filter(index=[50, 7, 9999][i], row=y, column=x).filter(class_is(CLASSES[asked[i, c]]))
        assert cell["evidence"].to_list() == [pytest.approx(float(maps[i, c, y, x]))]


def class_is(name: str) -> pl.Expr:
    return pl.col("class") == name
