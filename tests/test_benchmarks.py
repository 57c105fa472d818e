"""Benchmarks that promise a smoke run keep the promise; no figure of time is asserted."""

import ast
import csv
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUN = BENCHMARKS / "time_to_f1/run.py"


@pytest.mark.slow
@pytest.mark.study
def test_time_to_f1_runs_both_arms_and_writes_their_rows(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    done = subprocess.run(
        [sys.executable, RUN, "--smoke", "--results", results], check=True, capture_output=True, text=True
    )
    with results.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == ["ours", "plain", "plain-same-rows"]
    assert all(0.1 < float(row["macro_f1"]) < 1 and float(row["peak_rss_mb"]) > 0 for row in rows)
    assert {row["n_test"] for row in rows} == {"256"}
    assert done.stdout.count("\n| ours |") == 1
    assert (tmp_path / "plot.html").stat().st_size > 0


@pytest.mark.slow
def test_a_million_images_in_small_finds_what_it_planted() -> None:
    command = [sys.executable, BENCHMARKS / "million/run.py", "--smoke"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    by_part = {row["part"]: row for row in map(ast.literal_eval, done.stdout.splitlines())}
    assert by_part["duplicates"]["recall"] == 1
    assert by_part["labels"]["recall"] > 0.5
    assert all(row["peak_mb"] > row["before_mb"] > 0 for row in by_part.values())


@pytest.mark.slow
def test_the_statistics_are_simulated_for_every_kind_of_finding(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    command = [sys.executable, BENCHMARKS / "statistics/run.py", "--smoke", "--results", results]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with results.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["finding", "setting", "measure", "nominal", "observed", "repetitions"]
    assert {row["measure"] for row in rows} == {"coverage", "type I"}
    assert all(0 <= float(row["observed"]) <= 1 for row in rows)
    findings = {row["finding"].split(":")[0] for row in rows}
    assert {"macro-F1", "treatment", "confusion pairs", "ledger shares", "slices", "context"} <= findings
    assert {"label errors", "levers", "pointing"} <= findings


@pytest.mark.slow
@pytest.mark.study
def test_scale_in_small_goes_on_after_it_is_killed_twice() -> None:
    command = [sys.executable, BENCHMARKS / "scale/run.py", "--smoke"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    by_part = {row["part"]: row for row in map(ast.literal_eval, done.stdout.splitlines())}
    assert set(by_part) == {"decode", "killed", "measures", "reductions"}
    assert by_part["killed"]["same"] is True
    assert all(row["processor_seconds"] > 0 for row in by_part.values())
