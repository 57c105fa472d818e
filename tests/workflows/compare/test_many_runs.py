"""Several runs beside each other: every number computed a second time, and the page in a browser's terms."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

import made_run
from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import Evidence
from deepsight.core.run import Run
from deepsight.workflows.compare.many_runs import compare_many

ROWS = np.arange(300)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]) -> list[Run]:
    """Three runs on the same images whose models differ; the third errs twice as often."""
    train, test = (part.select(ROWS) for part in cifar10)
    folder = tmp_path_factory.mktemp("compared")
    made = [made_run.make(folder / name, train, test, seed=i) for i, name in enumerate(("a", "b", "c"))]
    made[1].save_study({**made[1].study(), "seed": 7})
    third = made[2].predictions("test")
    logits = third.logits.copy()
    spoiled = np.arange(0, len(third), 4)
    logits[spoiled, (third.labels[spoiled] + 1) % third.k] += 20
    made[2].save_predictions("test", type(third)(third.ids, third.labels, logits, third.features))
    made[2].commit("treat")
    return made


@pytest.fixture(scope="module")
def page(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "comparison.html"


@pytest.fixture(scope="module")
def found(runs: list[Run], page: Path) -> Evidence:
    return compare_many([run.path for run in runs], page)


def test_each_is_tested_against_the_first(found: Evidence, runs: list[Run]) -> None:
    first, *others = (run.predictions("test") for run in runs)
    rows = found["differences"].frame.to_dicts()
    before = f1_score(first.labels, first.predicted, average="macro")
    for row, other in zip(rows, others, strict=True):
        after = f1_score(other.labels, other.predicted, average="macro")
        assert row["difference"] == pytest.approx(after - before)
        assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert [row["verdict"] for row in rows] == ["no difference shown", "worse"]


def test_p_values_hold_for_all_comparisons_together(found: Evidence) -> None:
    frame = found["differences"].frame.sort("p_value")
    small, large = frame["p_value"].to_list()
    assert frame["p_holm"].to_list() == pytest.approx([min(1, 2 * small), max(min(1, 2 * small), large)])
    assert "Holm" in found["differences"].method


def test_an_image_that_one_run_alone_gets_right_is_listed_once(found: Evidence, runs: list[Run]) -> None:
    right = np.stack([run.predictions("test").predicted == run.predictions("test").labels for run in runs])
    for place, run in enumerate(runs):
        alone = np.flatnonzero(right[place] & (right.sum(axis=0) == 1))
        listed = found["alone"].frame.filter(run=run.path.name)["index"]
        assert listed.to_list() == runs[0].predictions("test").ids[alone].tolist()
    assert (found["alone"].frame["true"] != found["alone"].frame["predicted"]).all()


def test_only_settings_that_differ_are_listed(found: Evidence) -> None:
    assert found["settings"].frame.rows() == [("seed", "0", "7", "0")]


def test_causes_and_levers_move_from_run_to_run(found: Evidence, runs: list[Run]) -> None:
    causes = found["causes"].frame
    for run in runs:
        stored = run.evidence()["ledger_shares"].frame.select("cause", "share").rows()
        assert causes.filter(run=run.path.name).select("cause", "share").rows() == stored
    assert found["levers"].frame.filter(name="twice the images")["net"].to_list() == [0.15] * 3


def test_the_page_shows_every_answer_and_fetches_nothing(page: Path, found: Evidence) -> None:
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert all(f'id="{name}"' in text for name in found)
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    shown = text.count('<img src="data:image/webp')
    most = found["alone"].frame.group_by("run").agg(n=pl.len().clip(upper_bound=24))
    assert shown == most["n"].sum()


def test_runs_that_cannot_be_compared_are_refused(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least two different runs"):
        compare_many([runs[0].path])
    with pytest.raises(UsageError, match="at least two different runs"):
        compare_many([runs[0].path, runs[0].path])
    other = made_run.bare(tmp_path / "other")
    other.save_json("data.json", {"digests": {"test": "another"}})
    with pytest.raises(DeepSightError, match="same images"):
        compare_many([runs[0].path, other.path])


def test_the_command_writes_the_page_and_prints_json(runs: list[Run], tmp_path: Path) -> None:
    out, paths = tmp_path / "c.html", [str(run.path) for run in runs]
    done = CliRunner().invoke(app, ["compare", *paths, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert [row["run"] for row in json.loads(done.stdout)] == ["b", "c"]
    assert out.stat().st_size < 5_000_000
    two = CliRunner().invoke(app, ["compare", *paths[:2]])
    assert two.exit_code == 0, two.output
    assert "become right" in two.output
