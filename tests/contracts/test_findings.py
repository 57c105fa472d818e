"""What every finding function promises: determinism, untouched inputs, and parameters that matter."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import Parameter, signature
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import FIXED_COLUMNS, Evidence, Table
from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.explore import appearance, balance, embedding
from deepsight.interpret.error_analysis.calibration import calibration_summary_table, calibration_table
from deepsight.interpret.error_analysis.cause_shares import ledger_shares_table
from deepsight.interpret.error_analysis.causes import Detectors, ledger_table
from deepsight.interpret.error_analysis.confusion import (
    confusion_direction_table,
    confusion_pairs_table,
    confusion_table,
)
from deepsight.interpret.error_analysis.confusion_clusters import confusion_clusters_table
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.labels.ambiguity import ambiguity_table
from deepsight.interpret.labels.corrected_score import corrected_score_table
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_noise import WrongLabels
from deepsight.interpret.labels.label_sources import LabelSources
from deepsight.interpret.robustness import image_quality
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.interpret.slices.slices import slices_table

K, N = 20, 1200
CLASSES = tuple(f"class{i}" for i in range(K))
FEW = ("a", "b", "c", "d")


def features_of(labels: np.ndarray, odd: np.ndarray, seed: int) -> np.ndarray:
    """Classes apart, and the odd images apart from the others of their class."""
    rng = np.random.default_rng(seed)
    means = 3 * np.eye(K, 24)[labels] + 6 * odd[:, None] * np.eye(24)[-1]
    return (means + rng.normal(size=(len(labels), 24))).astype(np.float32)


def inputs() -> dict[str, Any]:
    """One made study: labels, predictions with a hard and a confused class, pixels, features and logits."""
    rng = np.random.default_rng(0)
    labels = rng.integers(K, size=N)
    wrong = (labels + rng.integers(1, K, size=N)) % K
    error = 0.1 + 0.02 * labels
    predicted = np.where(rng.random(N) < error, wrong, labels)
    predicted = np.where((labels == 3) & (rng.random(N) < 0.3), 4, predicted)
    logits = rng.normal(size=(N, K)) + 3 * np.eye(K)[predicted]
    images = rng.integers(256, size=(N, 8, 8, 3), dtype=np.uint8)
    dark = images[:, :4].mean(axis=(1, 2, 3)) < 122
    return {
        "labels": labels,
        "predicted": predicted,
        "logits": logits,
        "images": images,
        "features": features_of(labels, dark, 1),
        "ids": np.arange(N) + 5,
        "few": labels % 4,
        "few_predicted": np.where(dark, (labels + 1) % 4, labels % 4),
    }


DATA = inputs()
PROPERTIES = measured_properties(DATA["images"])
# Images of one patient: neighbours by label and answer, so that they are right and wrong together.
PATIENTS = np.argsort(np.lexsort((DATA["predicted"] != DATA["labels"], DATA["labels"]))) // 6
GROUPS = {name: "left" if i < 9 else "right" for i, name in enumerate(CLASSES)}
EVEN, ODD = Group("even", CLASSES[::2]), Group("odd", CLASSES[1::2])
HYPOTHESES = [Hypothesis("gap", "Even over odd.", "recall_gap", EVEN, ODD)]
DETECTORS = Detectors(label_error=np.linspace(0, 1, N), ambiguity=np.linspace(1, 0, N))


@dataclass(frozen=True)
class Finding:
    """A finding function with inputs, and for each of its parameters another value that must show."""

    name: str
    make: Callable[..., Table]
    arguments: tuple[Any, ...]
    other: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)


def one_of(make: Callable[..., Mapping[str, Table]], name: str) -> Callable[..., Table]:
    """One of the tables that a function makes together."""

    @wraps(make)
    def made(*given: Any, **dials: Any) -> Table:
        return make(*given, **dials)[name]

    return made


D = DATA
NAMED = (D["labels"], D["predicted"], CLASSES)
SLICED = (PROPERTIES, D["few"], D["few_predicted"], FEW, D["ids"])
SUMMARY = (D["logits"][:600], D["labels"][:600], D["logits"][600:], D["labels"][600:])
SOFT = np.exp(D["logits"]) / np.exp(D["logits"]).sum(axis=1, keepdims=True)
LEDGER = ledger_table(*NAMED, D["ids"], DETECTORS)
GIVEN = np.where(np.arange(N) % 25 == 0, (D["predicted"] + 1) % K, D["predicted"])
OPINIONS = {"test": LabelSources(D["ids"], GIVEN, {"model": SOFT})}
DOUBTED = np.where(np.arange(N) % 25 == 0, 0.9, 0.01)  # how surely each label is wrong
RISK = image_quality.fit_quality_risk(PROPERTIES, D["few"], D["few"] != D["few_predicted"], 4)
IMAGES = Dataset(D["images"], D["labels"], CLASSES, D["ids"], "test")

FINDINGS = [
    Finding("balance", balance.balance_table, ({"test": D["labels"]}, CLASSES), {}),
    Finding("appearance", appearance.appearance_table, (IMAGES,), {}),
    Finding("mean_images", appearance.mean_images, (IMAGES,), {"side": 4}),
    Finding(
        "embedding",
        embedding.embedding_table,
        (D["features"][:300], D["labels"][:300], CLASSES, D["ids"][:300]),
        {"limit": 100, "seed": 1},
        {"limit": 200, "seed": 0},
    ),
    Finding("confusion", confusion_table, NAMED, {}),
    Finding(
        "confusion_pairs", confusion_pairs_table, NAMED, {"image_groups": PATIENTS, "level": 0.8, "fdr": 1.0}
    ),
    Finding("confusion_direction", confusion_direction_table, NAMED, {"image_groups": PATIENTS, "fdr": 1.0}),
    Finding(
        "confusion_clusters",
        confusion_clusters_table,
        (*NAMED, GROUPS),
        {"draws": 20, "seed": 1},
        {"seed": 0},
    ),
    Finding("recall", per_class_table, (*NAMED, GROUPS), {"image_groups": PATIENTS, "level": 0.8}),
    Finding(
        "hypotheses",
        hypotheses_table,
        (HYPOTHESES, *NAMED),
        {"image_groups": PATIENTS, "level": 0.8, "seed": 1},
    ),
    Finding("calibration", calibration_table, (SOFT, D["labels"]), {"bins": 5}),
    Finding(
        "calibration_summary",
        calibration_summary_table,
        SUMMARY,
        {"bins": 5, "draws": 40, "level": 0.8, "seed": 1},
        {"seed": 0, "draws": 60},
    ),
    Finding(
        "slices",
        slices_table,
        SLICED,
        {
            "features": D["features"][:, :0],
            "doubt": np.linspace(0.01, 0.6, len(D["few"])),
            "image_groups": PATIENTS,
            "depth": 1,
            "clusters": 3,
            "smallest": 90,
            "fdr": 1e-12,
            "seed": 1,
        },
        {"features": D["features"], "clusters": 6, "seed": 0},
    ),
    Finding("image_quality", image_quality.image_quality_table, (RISK, *SLICED[:4]), {}),
    Finding(
        "label_error_summary",
        one_of(label_error_tables, "label_error_summary"),
        (OPINIONS, CLASSES),
        {"wrong": {"test": WrongLabels(DOUBTED, 0.01)}, "precision": 0.999, "level": 0.5},
    ),
    Finding(
        "ambiguity",
        ambiguity_table,
        (OPINIONS, CLASSES),
        {"views": {"test": D["logits"][None, :, ::-1]}, "wrong": {"test": DOUBTED}},
    ),
    Finding(
        "corrected_score",
        corrected_score_table,
        (D["labels"], D["predicted"], D["labels"] == 3, (D["labels"] + 1) % K, K),
        {"level": 0.8},
    ),
    Finding("ledger", ledger_table, (*NAMED, D["ids"], DETECTORS), {}),
    Finding("ledger_shares", ledger_shares_table, (LEDGER,), {"level": 0.8}),
]

every_finding = pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.name)
every_parameter = pytest.mark.parametrize(
    ("finding", "parameter"),
    [(finding, parameter) for finding in FINDINGS for parameter in finding.other],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def same(a: Table, b: Table) -> bool:
    return a.frame.equals(b.frame) and a.metadata() == b.metadata()


def copied(value: Any) -> Any:
    """A copy to compare with later; a table's units are read-only and cannot be copied."""
    return replace(value, frame=value.frame.clone()) if isinstance(value, Table) else copy.deepcopy(value)


def unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return bool(np.array_equal(before, after))
    if isinstance(before, pl.DataFrame):
        return before.equals(after)
    if isinstance(before, Mapping):
        return before.keys() == after.keys() and all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, Dataset):
        return unchanged(before.pixels(), after.pixels()) and unchanged(before.labels, after.labels)
    if isinstance(before, LabelSources | image_quality.QualityRisk):
        return unchanged(vars(before), vars(after))
    if isinstance(before, Detectors):
        return unchanged(before.present(), after.present())
    if isinstance(before, Table):
        return same(before, after)
    return bool(before == after)


@pytest.mark.slow
@every_finding
def test_the_table_has_its_fixed_columns_and_speaks(finding: Finding) -> None:
    table = finding.make(*finding.arguments, **finding.fixed)
    Evidence({finding.name: table})
    assert len(table.frame) > 0
    assert set(FIXED_COLUMNS.get(finding.name, ())) <= set(table.units)
    assert all(table.units.values())
    assert table.caption.endswith(".")


@pytest.mark.slow
@every_finding
def test_the_same_inputs_give_the_same_table(finding: Finding) -> None:
    first, second = (finding.make(*finding.arguments, **finding.fixed) for _ in range(2))
    assert same(first, second)


@pytest.mark.slow
@every_finding
def test_inputs_are_not_touched(finding: Finding) -> None:
    before = [copied(value) for value in finding.arguments]
    finding.make(*finding.arguments, **finding.fixed)
    assert all(unchanged(a, b) for a, b in zip(before, finding.arguments, strict=True))


@pytest.mark.slow
@every_parameter
def test_every_parameter_matters(finding: Finding, parameter: str) -> None:
    plain = finding.make(*finding.arguments, **finding.fixed)
    changed = finding.make(*finding.arguments, **{**finding.fixed, parameter: finding.other[parameter]})
    assert not plain.frame.equals(changed.frame)


@every_finding
def test_no_parameter_is_left_out_of_this_test(finding: Finding) -> None:
    dials = {
        name
        for name, parameter in signature(finding.make).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    assert dials == set(finding.other)
