"""What a notebook shows of runs and findings: the figures that are stored, escaped, and no more."""

import re
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from deepsight.core.evidence import Evidence, Table
from deepsight.core.notebook_html import digits_that_show
from deepsight.core.run import Run

METRICS = {
    "macro_f1": 0.8937, "macro_f1_ci95": [0.888, 0.8999], "accuracy": 0.9, "mva": 0.65, "mva_passed": True,
    "n_test": 10000, "backbone": "resnet18", "resolution": 96, "seed": 0, "data_source": "local cache",
}  # fmt: skip


def shares(**given: float) -> Table:
    values = list(given.values())
    numbers = {"share": values, "ci_low": values, "ci_high": values, "examined": [1.0] * len(values)}
    frame = pl.DataFrame({"cause": list(given), **numbers})
    units = {"cause": "name", "share": "share of errors", "ci_low": "low end", "ci_high": "high end",
             "examined": "share of errors"}  # fmt: skip
    return Table(frame, units, 100, "Counted.", "The causes of the errors.")


def words(html: str) -> str:
    """The text that a reader sees."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_table_shows_its_first_rows_its_units_and_its_method() -> None:
    table = Table(
        pl.DataFrame({"x": [i / 3 for i in range(25)]}), {"x": "metres"}, 25, "Measured.", "A walk."
    )
    html = table._repr_html_()
    assert "15 more rows" in words(html)
    assert "0.3333" in words(html)
    assert 'title="metres"' in html
    assert words(html).endswith("n = 25. Measured.")
    assert html.count("<tr>") == 11


def test_names_from_data_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    frame = pl.DataFrame({"class": [evil, None]})
    table = Table(frame, {"class": '"><b>'}, 2, evil, evil)
    for html in (table._repr_html_(), Evidence({"evil": table})._repr_html_()):
        assert "<script>" not in html
        assert "<b>" not in html
        assert evil in words(html.replace("&lt;", "‹")).replace("‹", "<") or evil in unescape(html)


def test_evidence_lists_each_finding_in_order() -> None:
    html = Evidence({"first": shares(a=1.0), "second": shares(b=1.0)})._repr_html_()
    assert re.findall(r"<code>(\w+)</code>", html) == ["first", "second"]
    assert words(html).count("The causes of the errors.") == 2


def test_a_run_shows_headline_ledger_and_findings(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"data": "cifar10"})
    run.save_evidence(Evidence({"ledger_shares": shares(small=0.25, large=0.75, none=0.0)}))
    run.save_json("metrics.json", METRICS)
    html = run._repr_html_()
    assert "macro-F1 0.894 (95 % interval 0.888 to 0.900) on 10,000 test images; passes the gate" in words(
        html
    )
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", html)]
    assert widths == [75.0, 25.0]
    assert "backbone resnet18" in words(html)
    assert "<script" not in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8937, "0.894"), (0.6497, "0.6497"), (0.65, "0.650"), (0.64999, "0.64999"), (0.6503, "0.650")],
)
def test_a_score_shows_on_which_side_of_the_gate_it_lies(value: float, text: str) -> None:
    assert digits_that_show(value, 0.65) == text


def test_a_run_that_is_not_finished_says_how_to_go_on(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"data": "cifar10"})
    assert f"deepsight report {run.path}" in words(run._repr_html_())


def test_a_real_run_shows_itself(trained_run: Run) -> None:
    html = trained_run._repr_html_()
    names = re.findall(r"<code>(\w+)</code>", html)
    assert names == list(trained_run.evidence())
    assert "balance" in names
