"""Two runs on the same test images: which is better, and where."""

from pathlib import Path

import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.file_columns import with_files
from deepsight.core.run import Run
from deepsight.core.statistics.mcnemar import McNemar, grouped_mcnemar, mcnemar
from deepsight.treat.compare import comparison_tables

IDENTITY = ("sha256_of_records", "sha256_of_pixels")  # digests in data.json of earlier versions


def compare(run_a: str | Path, run_b: str | Path) -> Evidence:
    """Compare two runs on the same test images with paired tests.

    Args:
        run_a, run_b: the run folders.

    Returns:
        The tables `comparison` (scores and the test of their difference), `comparison_changed` (one row per
        image that changed) and `comparison_confusion` (which confusions grew or shrank).

    Raises:
        DeepSightError: there is no run, or the images, labels or classes differ.

    Example:
        >>> from deepsight import compare
        >>> tables = compare("runs/first", "runs/second")
        >>> list(tables)
        ['comparison', 'comparison_changed', 'comparison_confusion']
    """
    a, b = Run.open(Path(run_a)), Run.open(Path(run_b))
    require_same_images(a, b)
    classes = classes_of_run(a)
    if classes_of_run(b) != classes:
        raise DeepSightError(
            f"Expected two runs with the same classes, received {classes} in {run_a} and {classes_of_run(b)} "
            f"in {run_b}."
        )
    first, second = a.predictions("test"), b.predictions("test")
    groups = groups_of_test(a, first.ids)
    found = comparison_tables(first, second, classes, names=(str(run_a), str(run_b)), groups=groups)
    return with_files(Evidence(found), a.file_names())


def accuracy_test(labels: Ints, first: Ints, second: Ints, groups: Ints | None) -> McNemar:
    """McNemar's test on the same images (n,), over groups if the images are grouped."""
    return (
        mcnemar(labels, first, second) if groups is None else grouped_mcnemar(labels, first, second, groups)
    )


def groups_of_test(run: Run, ids: Ints) -> Ints | None:
    """The group of each examined image (n,), as the run noted it; None where there are no groups."""
    images = run.examined_images()
    if images is None or images["group"].null_count():
        return None
    wanted = pl.DataFrame({"index": ids}).join(images, on="index", how="left", maintain_order="left")
    if wanted["group"].null_count() or len(wanted) != len(ids):
        return None
    return wanted["group"].to_numpy()


def classes_of_run(run: Run) -> list[str]:
    """The names of a run's classes, in the order of its logits."""
    model = run.require("model.json", stage="train").read_json("model.json")
    if "classes" in model:
        return list(model["classes"])
    recall = run.require("evidence/recall.parquet", stage="interpret").evidence()["recall"]
    return list(recall.frame["class"])


def require_same_images(a: Run, b: Run) -> None:
    """Refuse runs whose classes, split, number or digest of examined images differ.

    Raises:
        DeepSightError: they differ; the message says how.
    """
    ours, theirs = identity_of_images(a), identity_of_images(b)
    for what in ("classes", "split", "number of images", "digest of the images"):
        if ours[what] != theirs[what] and None not in (ours[what], theirs[what]):
            raise DeepSightError(
                f"Expected two runs on the same images, but their {what} differ: {ours[what]} in {a.path}, "
                f"{theirs[what]} in {b.path}. Compare runs on one test set."
            )


def identity_of_images(run: Run) -> dict[str, object]:
    """Which images a run was examined on; None for what an earlier version did not record."""
    record = run.read_json("data.json") if run.has("data.json") else {}
    examined = record.get("examined", {})
    digest = examined.get("digest", record.get("digests", {}).get("test"))
    older = [record[name].get("test", record[name]) for name in IDENTITY if record.get(name)]
    return {
        "classes": record.get("classes"),
        "split": run.examined_split,
        "number of images": examined.get("n", record.get("counts", {}).get("test")),
        "digest of the images": digest or (older[0] if older else None),
    }
