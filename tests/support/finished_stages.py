"""A run with two finished stages and a table of each, and ways to damage its files."""

from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.manifest import read_manifests
from deepsight.core.run import Run


def table(value: int) -> Table:
    frame = pl.DataFrame({"n": [value]})
    return Table(frame, {"n": "images"}, value, "counted", f"{value} images.")


def finished_stages(folder: Path) -> Run:
    made = Run.create(folder / "a [1]?*", {"data": "made"})
    made.save_splits({name: np.arange(3) for name in ("train", "val", "test")})
    made.save_evidence(Evidence({"first": table(1)}))
    made.commit("scrub")
    made.save_json("hypotheses.json", {"hypotheses": []})
    made.save_evidence(Evidence({"second": table(2)}))
    made.commit("explore")
    return Run.open(made.path)


def failing(run: Run) -> dict[str, list[str]]:
    known = read_manifests(run.path)
    assert known is not None
    return {stage: known.failing(stage) for stage in known.by_stage}


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
    elif how == "truncated":
        del content[len(content) // 2 :]
    elif how == "emptied":
        content.clear()
    path.write_bytes(content)
    if how == "removed":
        path.unlink()
