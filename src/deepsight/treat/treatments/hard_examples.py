"""Hard examples: more of the confused pairs, and later passes on the images with the largest loss."""

from collections.abc import Sequence

import polars as pl

from deepsight.treat.treatments.base import Target, Treatment, recipe_change

Pair = tuple[int, int]


def treatment(pairs: Sequence[Pair], *, boost: float = 2.0, share: float = 0.7, after: int = 1) -> Treatment:
    """Draw the rows of confused classes more often, and drop the easiest rows.

    Args:
        pairs: positions of a class and of the class that it is taken for; two classes that are taken for each
            other are two pairs.
        boost: how many times as often rows of the first are drawn, rare classes first brought to the average;
            1 mines by loss alone.
        share: share of the rows of each class, those with the largest loss so far, that passes train on after
            the first ones; 1 mines by pairs alone. A wrong label has a large loss too, so labels come first.
        after: the curriculum: passes over all rows before the hard ones.
    """
    change = recipe_change(confused=tuple(pairs), confused_boost=boost, hard_share=share, hard_after=after)
    unordered = dict.fromkeys((min(pair), max(pair)) for pair in pairs)
    return Treatment("hard_examples", "confusable pair", change, Target(pairs=tuple(unordered)))


def confused_pairs(pairs: pl.DataFrame, classes: Sequence[str], *, most: int = 4) -> tuple[Pair, ...]:
    """The pairs (true, predicted) that are confused most, at most `most`, as positions.

    Args:
        pairs: the frame of `confusion_pairs`, best made from validation images; only flagged rows count.
    """
    place = {name: i for i, name in enumerate(classes)}
    ranked = pairs.filter("flagged").sort("count", descending=True, maintain_order=True).head(most)
    return tuple((place[true], place[said]) for true, said in ranked.select("true", "predicted").iter_rows())
