"""Gates pass and fail where they should, on values that are computed a second time here."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import made_run
from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.core.schemas.json_files import GateResult
from deepsight.interpret.error_analysis.calibration import calibration_summary_table
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.slices.metadata import metadata_scores_table
from deepsight.report.html import render
from deepsight.workflows.gates.conditions import check_gate, check_gates
from deepsight.workflows.gates.reports import report_to_ci, write_junit

ROWS = np.arange(1000)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]) -> Run:
    train, test = cifar10
    folder = tmp_path_factory.mktemp("runs")
    made = made_run.make(folder / "made", train.select(ROWS), test.select(ROWS))
    made.save_predictions("test", made_run.predictions(test.select(ROWS)))
    made.save_json("metrics.json", {**made.metrics(), "n_test": len(ROWS), "n_leaked": 20})
    made.commit("treat")
    return made


def recalls_by_hand(p: Predictions) -> list[float]:
    return [float((p.predicted[p.labels == c] == c).mean()) for c in range(p.k)]


def precisions_by_hand(p: Predictions) -> list[float]:
    return [float((p.labels[p.predicted == c] == c).mean()) for c in range(p.k)]


def test_the_worst_class_is_the_worst_by_hand(run: Run) -> None:
    predictions = run.predictions("test")
    for metric, worst in (
        ("recall", min(recalls_by_hand(predictions))),
        ("precision", min(precisions_by_hand(predictions))),
    ):
        assert check_gate(run, f"min {metric} >= {worst - 0.001}").passed
        failed = check_gate(run, f"min {metric} >= {worst + 0.001}")
        assert not failed.passed
        assert failed.value == pytest.approx(worst)
    mean = float(np.mean(recalls_by_hand(predictions)))
    assert check_gate(run, "mean recall >= 0").value == pytest.approx(mean)


def test_a_class_is_named_in_brackets(run: Run) -> None:
    predictions = run.predictions("test")
    assert check_gate(run, "recall[cat]>=0").value == pytest.approx(recalls_by_hand(predictions)[3])
    assert check_gate(run, "precision[dog] >= 0 %").value == pytest.approx(precisions_by_hand(predictions)[5])
    with pytest.raises(UsageError, match="received 'cta'; did you mean 'cat'"):
        check_gate(run, "recall[cta] >= 0.5")


def test_by_interval_the_cautious_end_must_pass(run: Run) -> None:
    whole = check_gate(run, "macro_f1 >= 0.1")
    low, high = whole.low, whole.high
    between = (low + whole.value) / 2
    assert check_gate(run, f"macro_f1 >= {between}").passed
    assert not check_gate(run, f"macro_f1 >= {between} by interval").passed
    assert not check_gate(run, f"macro_f1 <= {(high + whole.value) / 2} by interval").passed
    with pytest.raises(UsageError, match="it has none"):
        check_gate(run, "min f1 >= 0.1 by interval")


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("recall >= 0.7", "min, max or mean before 'recall'"),
        ("min macro_f1 >= 0.7", "it has one value"),
        ("macrof1 >= 0.7", "did you mean 'macro_f1'"),
        ("macro_f1 = 0.7", "Write a gate as"),
        ("", "Write a gate as"),
        ("no worse than x by -0.1", "at least 0"),
        ("no worse than x by 2", "Did you mean 2 %"),
        ("near_duplicate_share <= 2", "Did you mean 2 %"),
        ("macro_f1 >= 70", "Expected a bound from 0 to 1"),
        ("min recal >= 0.7", r"did you mean 'recall'\?$"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(run: Run, gate: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_gate(run, gate)


def test_signs_of_one_character_are_read(run: Run) -> None:
    assert check_gate(run, "accuracy ≥ 0").passed
    assert not check_gate(run, "accuracy ≤ 0").passed


def beside(run: Run, folder: Path, change: float) -> Run:
    """A run on the same images in another order whose model is right on more or fewer of them."""
    p = run.predictions("test")
    rng = np.random.default_rng(0)
    wrong, right = (np.flatnonzero((p.predicted != p.labels) == is_wrong) for is_wrong in (True, False))
    rows = rng.permutation(wrong if change > 0 else right)[: int(abs(change) * len(p))]
    logits = p.logits.copy()
    aim = p.labels[rows] if change > 0 else (p.labels[rows] + 1) % p.k
    logits[rows, aim] = 50
    order = rng.permutation(len(p))
    other = made_run.bare(folder)
    other.save_predictions(
        "test", Predictions(p.ids[order], p.labels[order], logits[order], p.features[order])
    )
    return other


def test_no_worse_than_a_baseline_is_a_paired_test_with_a_margin(run: Run, tmp_path: Path) -> None:
    worse, better = beside(run, tmp_path / "worse", -0.05), beside(run, tmp_path / "better", +0.05)
    assert check_gate(run, f"no worse than {worse.path}").passed
    assert check_gate(run, f"no worse than {run.path} by 0.01").passed
    assert not check_gate(run, f"no worse than {better.path} by 1 %").passed
    assert check_gate(run, f"no worse than {better.path} by 0.2").passed


def test_a_baseline_on_other_images_is_refused(run: Run, tmp_path: Path) -> None:
    other = made_run.bare(tmp_path / "other")
    p = run.predictions("test")
    other.save_predictions("test", Predictions(p.ids + 1, p.labels, p.logits, p.features))
    with pytest.raises(DeepSightError, match="same test images"):
        check_gate(run, f"no worse than {other.path}")


def test_doubled_near_duplicates_stop_the_pipeline(run: Run, tmp_path: Path) -> None:
    """The story of the docs: a change that doubles the near-duplicates fails the gate with status 3."""
    before = check_gate(run, "near_duplicate_share <= 1").value
    gate = f"near_duplicate_share <= {1.5 * before}"
    assert check_gate(run, gate).passed
    metrics = run.metrics()
    try:
        run.save_json("metrics.json", {**metrics, "n_leaked": 2 * metrics["n_leaked"]})
        run.commit("treat")
        done = CliRunner().invoke(
            app, ["check", str(run.path), "--gate", gate, "--junit", str(tmp_path / "j.xml")]
        )
    finally:
        run.save_json("metrics.json", metrics)
        run.commit("treat")
    assert done.exit_code == 3
    assert "FAILED" in done.output
    assert ElementTree.parse(tmp_path / "j.xml").find(".//failure") is not None


def test_shares_of_the_findings_are_those_of_their_tables(run: Run) -> None:
    frame = run.evidence()["label_errors"].frame.filter(split="test")
    labels = check_gate(run, "label_error_share <= 1")
    assert labels.value == pytest.approx(frame["flagged"].mean())
    assert labels.low < labels.value <= labels.high
    whole = run.evidence()["context"].frame.filter(test="swap").filter(pl.col("class") == "all")
    gap = check_gate(run, "background_gap <= 5 %")
    assert (gap.value, gap.low, gap.high) == whole.select("effect", "ci_low", "ci_high").row(0)


def test_a_calibration_error_is_gated_by_its_high_end(run: Run) -> None:
    p = run.predictions("test")
    with pytest.raises(DeepSightError, match="deepsight interpret"):
        check_gate(run, "calibration_error <= 0.5")
    table = calibration_summary_table(p.logits, p.labels, p.logits[:500], p.labels[:500], draws=20, seed=0)
    run.save_evidence(Evidence({"calibration_summary": table}))
    run.commit("treat")
    found = check_gate(run, "calibration_error <= 0.5")
    stored = table.frame.filter(stage="as given", quantity="rms_error").row(0, named=True)
    assert (found.value, found.low, found.high) == (stored["value"], stored["ci_low"], stored["ci_high"])
    between = (found.value + found.high) / 2
    assert check_gate(run, f"calibration_error <= {between:f}").passed
    assert not check_gate(run, f"calibration_error <= {between:f} by interval").passed


def with_groups(run: Run) -> pl.DataFrame:
    """The run with a table of two sites, scored by the stage's own code."""
    p = run.predictions("test")
    site = pl.DataFrame({"site": np.where(np.arange(len(p)) % 3 == 0, "A", "B")})
    table = metadata_scores_table(site, p.labels, p.predicted, seed=0)
    assert table is not None
    run.save_evidence(Evidence({"metadata_scores": table}))
    run.commit("treat")
    return site


def test_a_group_of_the_metadata_is_gated_by_its_own_score(run: Run) -> None:
    with pytest.raises(DeepSightError, match="no metadata"):
        check_gate(run, "group_accuracy[site=B] >= 0.5")
    site, p = with_groups(run), run.predictions("test")
    by_hand = {
        name: float((p.labels == p.predicted)[(site["site"] == name).to_numpy()].mean()) for name in "AB"
    }
    for name, value in by_hand.items():
        assert check_gate(run, f"group_accuracy[site={name}] >= 0.1").value == pytest.approx(value)
    worst = check_gate(run, f"min group_accuracy >= {min(by_hand.values()) + 0.01}")
    assert not worst.passed
    assert worst.low < worst.value < worst.high
    assert not check_gate(run, "min group_macro_f1 >= 0.999 by interval").passed
    with pytest.raises(UsageError, match="did you mean 'site=B'"):
        check_gate(run, "group_accuracy[site=b] >= 0.5")


def test_a_slice_is_gated_by_its_error_rate(run: Run) -> None:
    frame = run.evidence()["slices"].frame.filter("confirmed")
    first = frame.row(0, named=True)
    found = check_gate(run, f"slice_error_rate[{first['description']}] <= 0.9")
    assert found.value == pytest.approx(round(first["error_rate"] * first["n"]) / first["n"])
    assert found.low < found.value < found.high
    assert not check_gate(run, "max slice_error_rate <= 0.01").passed


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        ("background is clear", True),
        ("background is not biased", True),
        ("background is not CLEAR", False),
        ("background is biased", False),
    ],
)
def test_the_verdict_on_the_background_is_a_gate(run: Run, gate: str, passed: bool) -> None:
    found = check_gate(run, gate)
    assert found.passed is passed
    assert "CLEAR" in found.says


def test_gates_stand_on_the_first_screen_of_the_report(run: Run) -> None:
    render(run)
    check_gates(run.path, ["accuracy >= 0.1", "min recall >= 0.999"])
    text = run.file("report.html").read_text(encoding="utf-8")
    first_screen = text[text.index('id="summary"') : text.index('id="obtain"')]
    assert "<code>min recall &gt;= 0.999</code>" in first_screen
    assert first_screen.count('<li class="passed">') == 1
    assert first_screen.count('<li class="failed">') == 1
    assert Run.open(run.path).manifests().holds("report.html")


def test_results_stand_in_metrics_json(run: Run) -> None:
    results = check_gates(run.path, ["accuracy >= 0.1", "accuracy >= 0.999"])
    noted = json.loads((run.path / "metrics.json").read_text())["gates"]
    assert [one["passed"] for one in noted] == [True, False]
    assert noted[1]["says"] == results[1].says
    assert "macro_f1" in run.metrics()


RESULTS = [
    GateResult(
        gate="min recall >= 0.7",
        passed=True,
        value=0.8,
        low=0.7,
        high=0.9,
        n=100,
        says="recall of cat is 0.8 on 100 images.",
    ),
    GateResult(
        gate="recall[a|b<c>&] >= 0.9",
        passed=False,
        value=0.5,
        low=None,
        high=None,
        n=9,
        says="50 % of a|b<c>\x00&\n::warning:: x",
    ),
]


def test_damage_after_a_check_names_the_command_that_mends_it(run: Run) -> None:
    check_gates(run.path, ["accuracy >= 0"])
    whole = run.file("metrics.json").read_bytes()
    run.file("metrics.json").write_bytes(whole.replace(b"0", b"1", 1))
    with pytest.raises(DeepSightError, match=f"Make it again: deepsight report {run.path}"):
        check_gates(run.path, ["accuracy >= 0"])
    run.file("metrics.json").write_bytes(whole)


def test_junit_has_the_counts_and_names_of_its_cases(tmp_path: Path) -> None:
    """The structure that CI systems read: testsuites > testsuite > testcase, with counts that are true."""
    write_junit(tmp_path / "junit.xml", RESULTS)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    (suite,) = root
    cases = suite.findall("testcase")
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert int(suite.get("tests")) == len(cases) == 2
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == 1
    assert all(case.get("name") and case.get("classname") for case in cases)
    assert cases[1].get("name") == "recall[a|b<c>&] >= 0.9"


def test_github_gets_annotations_and_a_summary(tmp_path: Path) -> None:
    target = tmp_path / "summary.md"
    lines = report_to_ci("runs/x", RESULTS, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(target)})
    (line,) = lines
    assert line.startswith("::error title=Gate%3A recall[a|b<c>&] >= 0.9::50 %25 of")
    assert "\n" not in line
    summary = target.read_text("utf-8")
    assert summary.count("\n|") == 4
    assert "a\\|b&lt;c>" in summary
    assert report_to_ci("runs/x", RESULTS, {}) == []


def test_the_command_passes_with_status_0(run: Run, tmp_path: Path) -> None:
    gates = ["--gate", "accuracy >= 0.1", "--gate", "max slice_excess <= 0.9"]
    done = CliRunner().invoke(app, ["check", str(run.path), *gates, "--junit", str(tmp_path / "j.xml")])
    assert done.exit_code == 0, done.output
    assert done.output.count("passed") == 2


def test_gates_of_a_study_are_stored_and_absent_ones_are_not() -> None:
    from deepsight.config import StudyConfig

    gates = ("min recall >= 0.7",)
    assert "gates" not in StudyConfig().stored()
    assert StudyConfig(**StudyConfig(gates=gates).stored()).gates == gates


def test_a_wrong_gate_is_refused_before_the_study_begins(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["run", "--gate", "recal >= 0.7", "--out", str(out)])
    assert isinstance(done.exception, UsageError)
    assert not out.exists()


def test_a_class_without_test_images_fails_no_gate(tmp_path: Path) -> None:
    bare = made_run.bare(tmp_path / "run")
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    classes = ("ant", "bee", "cow")
    bare.save_evidence(Evidence({"recall": per_class_table(labels, predicted, classes, {})}))
    assert check_gate(bare, "min recall >= 0.5").value == pytest.approx(0.5)
    assert check_gate(bare, "min f1 >= 0.6").value == pytest.approx(2 / 3)
    with pytest.raises(UsageError, match="received 'cow'"):
        check_gate(bare, "recall[cow] >= 0.5")
