"""Every figure is valid for plotly and shows the stored numbers."""

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from deepsight.core.evidence import Table
from deepsight.report.figures import interpret, model, style, treat, trust
from deepsight.report.outline import OUTLINE
from deepsight.report.study import Study

DRAWN = [entry for stage in OUTLINE for entry in stage.entries if entry.draw]


def points(figure: go.Figure) -> dict[str, float]:
    """x by label over all series of dots with an interval."""
    return {
        y: x
        for trace in figure.data
        if trace.error_x.array is not None
        for x, y in zip(trace.x, trace.y, strict=True)
    }


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_figures_are_valid_and_have_axes_in_words(study: Study, entry):
    figure = entry.draw(study.evidence[entry.name])
    assert go.Figure(figure.to_dict()).data
    assert figure.layout.height >= 100
    assert (
        figure.layout.template.layout.paper_bgcolor is None or figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    )


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_no_meaning_rests_on_colour_alone(study: Study, entry):
    """Series of one figure differ in their name, and in symbol, dash or pattern as well."""
    figure = entry.draw(study.evidence[entry.name])
    looks = [
        (t.xaxis, t.type, t.name, str(getattr(t.marker, "symbol", "")), str(t.marker.color))
        for t in figure.data
    ]
    assert len(set(looks)) == len(looks)


def test_recall_shows_each_class_in_its_group(study: Study):
    figure = interpret.recall(study.evidence["recall"])
    stored = dict(study.evidence["recall"].frame.select("class", "recall").rows())
    assert points(figure) == pytest.approx(stored)
    assert {trace.name: trace.marker.color for trace in figure.data} == {
        "rigid": style.BLUE,
        "organic": style.ORANGE,
    }


def test_intervals_end_where_the_table_says(study: Study):
    table = study.evidence["recall"]
    ends = {
        y: (x - lower, x + upper)
        for trace in interpret.recall(table).data
        for x, y, lower, upper in zip(
            trace.x, trace.y, trace.error_x.arrayminus, trace.error_x.array, strict=True
        )
    }
    for name, low, high in table.frame.select("class", "ci_low", "ci_high").rows():
        assert ends[name] == pytest.approx((low, high))


def test_an_absent_interval_has_no_length():
    bars = style.whiskers([0.5, 0.6], [None, 0.5], [None, 0.8])
    assert bars["array"] == pytest.approx([0, 0.2])
    assert bars["arrayminus"] == pytest.approx([0, 0.1])


def test_context_is_in_points_and_keeps_the_verdicts_apart(study: Study):
    table = study.evidence["context"]
    figure = trust.context(table)
    assert sorted(points(figure).values()) == pytest.approx(sorted(100 * table.frame["effect"]))
    assert {trace.name for trace in figure.data} == {"CLEAR", "INCONCLUSIVE", "BIASED", "control"}


def test_treatments_are_drawn_on_both_scores_where_both_are_known(study: Study):
    table = study.evidence["treatments"]
    both = treat.treatments(table)
    drawn = {(t.xaxis, y): x for t in both.data for x, y in zip(t.x, t.y, strict=True)}
    for name, macro, target in table.frame.select("name", "delta_macro_f1", "delta_target").rows():
        assert drawn["x", name] == pytest.approx(100 * macro)
        assert drawn["x2", name] == pytest.approx(100 * target)
    one = treat.treatments(
        replace(table, frame=table.frame.drop("target_verdict"), units=units_without(table))
    )
    assert {trace.xaxis for trace in one.data} == {"x"}


def units_without(table: Table) -> dict[str, str]:
    return {name: unit for name, unit in table.units.items() if name != "target_verdict"}


def test_each_phase_is_marked_over_its_epochs(study: Study):
    figure = model.learning_curves(study.history)
    bands = {(shape.x0, shape.x1) for shape in figure.layout.shapes}
    assert {(0.5, 2.5), (2.5, 7.5)} <= bands
    assert {"frozen", "finetune"} <= {note.text for note in figure.layout.annotations}


def test_learning_curves_draw_what_the_history_has(study: Study):
    short = model.learning_curves(study.history.drop("val_loss", "lr_base"))
    assert len(short.data) == 3


def test_empty_bins_of_calibration_are_not_drawn(study: Study):
    table = study.evidence["calibration"]
    assert len(interpret.calibration(table).data[1].x) == int((table.frame["n"] > 0).sum())
