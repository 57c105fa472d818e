"""Two runs on the same test images: which is better, and where."""

from pathlib import Path

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.run import Run
from deepsight.treat.compare import comparison_tables


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
    classes = classes_of_run(a)
    if classes_of_run(b) != classes:
        raise DeepSightError(
            f"Expected two runs with the same classes, received {classes} in {run_a} and {classes_of_run(b)} "
            f"in {run_b}."
        )
    first, second = a.predictions("test"), b.predictions("test")
    return Evidence(comparison_tables(first, second, classes, names=(str(run_a), str(run_b))))


def classes_of_run(run: Run) -> list[str]:
    """The names of a run's classes, in the order of its logits."""
    model = run.require("model.json", stage="train").read_json("model.json")
    if "classes" in model:
        return list(model["classes"])
    recall = run.require("evidence/recall.parquet", stage="interpret").evidence()["recall"]
    return list(recall.frame["class"])
