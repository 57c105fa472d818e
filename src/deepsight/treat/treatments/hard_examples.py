"""Hard examples: draw confused classes more often, and later train only on the largest losses."""

from collections.abc import Sequence

import polars as pl

from deepsight.treat.treatments.base import Target, Treatment, recipe_change

Pair = tuple[int, int]


def hard_examples_treatment(
    pairs: Sequence[Pair], *, boost: float = 2.0, share: float = 0.7, after: int = 1
) -> Treatment:
    """Draw rows of confused classes more often, and drop the easiest rows.

    Args:
        pairs: positions of a class and of the class it is mistaken for; two classes mistaken for each other
            are two pairs.
        boost: how many times as often rows of the first class are drawn, after rare classes are raised to the
            average; 1 mines by loss alone.
        share: share of each class, with the largest loss so far, to train on after the first passes; 1 mines
            by pairs alone. Wrong labels have a large loss too, so fix labels first.
        after: passes over all rows before training on the hard ones only.
    """
    change = recipe_change(confused=tuple(pairs), confused_boost=boost, hard_share=share, hard_after=after)
    unordered = dict.fromkeys((min(pair), max(pair)) for pair in pairs)
    return Treatment("hard_examples", "confusable pair", change, Target(pairs=tuple(unordered)))


def confused_pairs(pairs: pl.DataFrame, classes: Sequence[str], *, most: int = 4) -> tuple[Pair, ...]:
    """The most confused pairs (true, predicted), at most `most`, as positions.

    Args:
        pairs: the frame of `confusion_pairs`, preferably from validation images; only flagged rows count.
        classes: names of the k classes.
        most: pairs at most.
    """
    place = {name: i for i, name in enumerate(classes)}
    ranked = pairs.filter("flagged").sort("count", descending=True, maintain_order=True).head(most)
    return tuple((place[true], place[said]) for true, said in ranked.select("true", "predicted").iter_rows())
