"""Every treatment keeps to one contract; and each does what its name says, on data with a planted fault."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.model import pretrained
from deepsight.treat.treatments import (
    capacity,
    combination,
    deduplicate,
    hard_examples,
    mixing,
    relabel,
    weighted_loss,
)
from deepsight.treat.treatments.base import CONTROL, Target, Treatment
from made_arms import CLASSES, dataset

ERRORS = pl.DataFrame(
    {
        "split": ["train", "train", "train", "test"],
        "index": [100, 125, 159, 101],
        "given": ["bird", "cat", "dog", "bird"],
        "suggested": ["dog", "bird", "cat", "cat"],
        "flagged": [True, True, False, True],
    }
)
TWINS = pl.DataFrame(
    {
        "split_a": ["train", "train", "train", "test", "train"],
        "index_a": [100, 101, 103, 110, 130],
        "split_b": ["train", "train", "train", "train", "train"],
        "index_b": [101, 102, 120, 111, 999],
    }
)
LABELS_BY_ID = {100 + i: i // 20 for i in range(60)}
EVERY = [
    mixing.cutmix_treatment(),
    mixing.cutmix_treatment(mix_on="images"),
    mixing.mixup_treatment(),
    mixing.mixup_treatment(mix_on="images"),
    hard_examples.hard_examples_treatment([(1, 2)]),
    weighted_loss.weighted_loss_treatment("weighted_loss", np.array([1.0, 2.0, 3.0]), [2]),
    relabel.relabel_treatment(ERRORS, CLASSES),
    relabel.relabel_treatment(ERRORS, CLASSES, action="drop"),
    deduplicate.deduplicate_treatment(TWINS, LABELS_BY_ID),
    capacity.higher_resolution_treatment(),
    *capacity.deeper_backbone_treatments("tf_efficientnet_lite0"),
    combination.combined_treatment(
        [mixing.cutmix_treatment(), weighted_loss.weighted_loss_treatment("weighted_loss", np.ones(3), [0])]
    ),
]


@pytest.mark.parametrize("treatment", EVERY, ids=lambda t: t.name)
def test_contract(treatment: Treatment, train: Dataset) -> None:
    """Deterministic, changes something, keeps to the training rows and leaves its inputs alone."""
    recipe = Recipe(seed=3)
    labels, ids = train.labels.copy(), train.ids.copy()
    data, changed = treatment.apply(train, recipe)
    again, same = treatment.apply(train, recipe)
    assert changed == same
    assert np.array_equal(data.labels, again.labels)
    assert set(data.ids) <= set(ids)
    assert np.array_equal(train.labels, labels)
    assert changed != recipe or len(data) < 60 or (data.labels != labels).any() or treatment.backbone
    assert treatment.name.replace("_", "").isalnum()


def test_names_are_unique() -> None:
    assert len({t.name for t in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (mixing.cutmix_treatment(), mixing.cutmix_treatment(alpha=0.5)),
        (mixing.mixup_treatment(), mixing.mixup_treatment(alpha=0.5)),
        (
            hard_examples.hard_examples_treatment([(0, 1)]),
            hard_examples.hard_examples_treatment([(0, 1)], boost=3.0),
        ),
        (
            hard_examples.hard_examples_treatment([(0, 1)]),
            hard_examples.hard_examples_treatment([(0, 1)], share=0.5),
        ),
        (
            hard_examples.hard_examples_treatment([(0, 1)]),
            hard_examples.hard_examples_treatment([(0, 1)], after=2),
        ),
        (capacity.higher_resolution_treatment(), capacity.higher_resolution_treatment(step=64)),
    ],
)
def test_every_dial_changes_the_recipe(one: Treatment, other: Treatment, train: Dataset) -> None:
    assert one.apply(train, Recipe())[1] != other.apply(train, Recipe())[1]


def test_the_control_only_trains_on(train: Dataset) -> None:
    assert CONTROL.apply(train, Recipe()) == (train, Recipe())


def test_rows_from_elsewhere_are_refused(train: Dataset) -> None:
    test = dataset(np.zeros(5, dtype=np.int64), source="test")
    cheat = Treatment("cheat", "none", lambda _, recipe: (test, recipe))
    with pytest.raises(DeepSightError, match="use rows of the training data only"):
        cheat.apply(train, Recipe())


def test_another_seed_is_refused(train: Dataset) -> None:
    lucky = Treatment("lucky", "none", lambda data, recipe: (data, replace(recipe, seed=7)))
    with pytest.raises(DeepSightError, match="seeds"):
        lucky.apply(train, Recipe())


def test_relabel_gives_the_suggested_labels_to_flagged_training_rows(train: Dataset) -> None:
    data, _ = relabel.relabel_treatment(ERRORS, CLASSES).apply(train, Recipe())
    changed = np.flatnonzero(data.labels != train.labels)
    assert train.ids[changed].tolist() == [100, 125]
    assert data.labels[changed].tolist() == [2, 0]


def test_drop_leaves_flagged_training_rows_out(train: Dataset) -> None:
    data, _ = relabel.relabel_treatment(ERRORS, CLASSES, action="drop").apply(train, Recipe())
    assert sorted(set(train.ids) - set(data.ids)) == [100, 125]


def test_relabel_targets_the_class_that_holds_most_flags() -> None:
    frame = ERRORS.with_columns(flagged=pl.lit(True), split=pl.lit("train"))
    assert relabel.relabel_treatment(frame, CLASSES).target == Target(classes=(0,))
    assert relabel.relabel_treatment(ERRORS.clear(), CLASSES).target == Target()


def test_deduplicate_keeps_one_of_a_cluster_and_none_of_a_conflict(train: Dataset) -> None:
    """100, 101 and 102 are birds; 103 is a bird and 120 a cat; 130's twin and the test's are not here."""
    treatment = deduplicate.deduplicate_treatment(TWINS, LABELS_BY_ID)
    data, _ = treatment.apply(train, Recipe())
    assert sorted(set(train.ids) - set(data.ids)) == [101, 102, 103, 120]
    assert treatment.target == Target(classes=(0, 1))


def test_the_majority_decides_in_a_cluster_with_a_conflict(train: Dataset) -> None:
    twins = pl.DataFrame(
        {"split_a": ["train"] * 2, "index_a": [100, 101], "split_b": ["train"] * 2, "index_b": [101, 125]}
    )
    data, _ = deduplicate.deduplicate_treatment(twins, LABELS_BY_ID).apply(train, Recipe())
    assert sorted(set(train.ids) - set(data.ids)) == [101, 125]


def test_recall_weights_rise_as_recall_falls() -> None:
    labels = np.repeat(np.arange(3), 10)
    predicted = labels.copy()
    predicted[10:15] = 0
    pretrained = weighted_loss.recall_weights(labels, predicted, 3)
    assert pretrained == pytest.approx([1.0, 1.5, 1.0])
    assert weighted_loss.recall_weights(labels, predicted, 3, strength=2.0)[1] == pytest.approx(2.0)


def test_effective_number_runs_from_equal_to_inverse_counts() -> None:
    counts = np.array([1000, 100, 10])
    assert weighted_loss.effective_number_weights(counts, beta=0.0) == pytest.approx([1, 1, 1])
    inverse = weighted_loss.effective_number_weights(counts, beta=1 - 1e-9)
    assert inverse / inverse[0] == pytest.approx([1, 10, 100], rel=1e-3)
    beta, n = 0.99, counts
    by_hand = np.array([1 / sum(beta**i for i in range(size)) for size in n])
    assert weighted_loss.effective_number_weights(n, beta=beta) == pytest.approx(by_hand / by_hand.mean())


def test_weighted_loss_scales_to_a_mean_of_one(train: Dataset) -> None:
    _, recipe = weighted_loss.weighted_loss_treatment("weighted_loss", np.array([1.0, 2.0, 3.0]), [2]).apply(
        train, Recipe()
    )
    assert recipe.class_weights == pytest.approx((0.5, 1.0, 1.5))


def test_counts_are_weighed_only_where_classes_differ() -> None:
    assert weighted_loss.weighted_by_counts(np.array([100, 60, 100])) == []
    (found,) = weighted_loss.weighted_by_counts(np.array([100, 50, 90]))
    assert found.target == Target(classes=(1,))


def test_weights_by_recall_favour_the_weak_class(train: Dataset) -> None:
    labels = np.repeat(np.arange(3), 100)
    predicted = labels.copy()
    predicted[200:260] = 0
    found = weighted_loss.weighted_by_recall(labels, predicted, 3)
    pretrained = np.array(found.apply(train, Recipe())[1].class_weights)
    assert pretrained / pretrained[0] == pytest.approx([1, 1, 1 + 2 * 0.6], rel=1e-4)
    assert found.target == Target(classes=(2,))


def test_weak_classes_are_surely_below_the_mean() -> None:
    labels = np.repeat(np.arange(3), 100)
    predicted = labels.copy()
    predicted[200:260] = 0
    assert weighted_loss.weak_classes(labels, predicted, 3) == (2,)
    predicted = labels.copy()
    predicted[100] = 0
    assert weighted_loss.weak_classes(labels, predicted, 3) == (1,)


def test_confused_pairs_are_flagged_and_ranked() -> None:
    frame = pl.DataFrame(
        {
            "true": ["dog", "cat", "bird", "cat"],
            "predicted": ["cat", "dog", "cat", "bird"],
            "count": [9, 12, 5, 30],
            "flagged": [True, True, True, False],
        }
    )
    assert hard_examples.confused_pairs(frame, CLASSES) == ((1, 2), (2, 1), (0, 1))
    assert hard_examples.confused_pairs(frame, CLASSES, most=1) == ((1, 2),)
    both = hard_examples.hard_examples_treatment([(1, 2), (2, 1), (0, 1)])
    assert both.target.pairs == ((1, 2), (0, 1))


def test_only_one_of_a_kind_is_combined() -> None:
    ranked = [
        mixing.mixup_treatment(),
        mixing.cutmix_treatment(),
        hard_examples.hard_examples_treatment([(0, 1)]),
    ]
    assert [t.name for t in combination.compatible_treatments(ranked)] == ["mixup", "hard_examples"]


def test_a_combination_does_what_its_parts_do(train: Dataset) -> None:
    parts = [
        relabel.relabel_treatment(ERRORS, CLASSES),
        mixing.cutmix_treatment(),
        capacity.higher_resolution_treatment(),
    ]
    data, recipe = combination.combined_treatment(parts).apply(train, Recipe())
    assert (data.labels != train.labels).sum() == 2
    assert (recipe.mix, recipe.resolution) == ("cutmix", 96)


def test_a_backbone_without_a_deeper_one_gets_no_arm() -> None:
    assert capacity.deeper_backbone_treatments("vgg16") == []
    assert [t.backbone for t in capacity.deeper_backbone_treatments("resnet18.tv_in1k")] == [
        "resnet50.tv_in1k"
    ] * 2


def test_a_deeper_backbone_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(pretrained.importlib, "import_module", absent)
    (deeper, same) = capacity.deeper_backbone_treatments("tf_efficientnet_lite0")
    assert (deeper.budget, same.budget) == ("time", "epochs")
    with pytest.raises(DeepSightError, match=r"pip install 'deepsight-forensics\[deeper\]'"):
        pretrained.load_pretrained(deeper.backbone)


def test_a_class_without_validation_images_is_neither_weak_nor_weighted() -> None:
    labels, predicted = np.array([0] * 20 + [2] * 20), np.array([0] * 20 + [2] * 19 + [0])
    assert weighted_loss.weak_classes(labels, predicted, 3) == (2,)
    weights = weighted_loss.recall_weights(labels, predicted, 3)
    assert weights[1] == weights[0] == 1 < weights[2]
    nothing = np.empty(0, dtype=np.int64)
    assert weighted_loss.weak_classes(nothing, nothing, 3) == (0, 1, 2)
