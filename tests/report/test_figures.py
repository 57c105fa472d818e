"""Every figure shows the stored numbers, and tells its series apart without colour."""

from dataclasses import replace

import pytest

from deepsight.core.evidence import Table
from deepsight.report.figures import attribution, interpret, model, style, treat
from deepsight.report.figures.plot import Bars, Dots, Figure
from deepsight.report.run_data import RunData
from deepsight.report.sections import OUTLINE

DRAWN = [entry for stage in OUTLINE for entry in stage.entries if entry.draw]


def every_dot(figure: Figure, panel: int = 0) -> list[Dots]:
    return [series for series in figure.panels[panel].series if isinstance(series, Dots)]


def values(figure: Figure, panel: int = 0) -> dict[str, float]:
    """x by label over the series of a panel that have intervals."""
    found = [series for series in every_dot(figure, panel) if series.low]
    return {y: x for series in found for x, y in zip(series.x, series.y, strict=True)}


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_categories_hold_all_that_is_drawn(study: RunData, entry):
    for panel in entry.draw(study.evidence[entry.name]).panels:
        for series in panel.series:
            assert len(series.x) == len(series.y) > 0
            if panel.y.categories:
                assert set(series.y) <= set(panel.y.categories)


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_no_meaning_rests_on_colour_alone(study: RunData, entry):
    """Series of one panel differ in symbol, filling or dash; bars stand alone in their panel."""
    for panel in entry.draw(study.evidence[entry.name]).panels:
        if any(isinstance(series, Bars) for series in panel.series):
            assert len(panel.series) == 1
            continue
        looks = [(s.symbol, str(s.hollow), s.line) for s in panel.series]
        assert len(set(looks)) == len(looks)


def test_recall_shows_each_class_in_its_group(study: RunData):
    figure = interpret.recall_figure(study.evidence["recall"])
    stored = dict(study.evidence["recall"].frame.select("class", "recall").rows())
    assert values(figure) == pytest.approx(stored)
    tones = {series.name: series.tone for series in every_dot(figure)}
    assert tones == {"rigid": style.BLUE, "organic": style.ORANGE}


def test_intervals_end_where_the_table_says(study: RunData):
    table = study.evidence["recall"]
    ends = {
        label: (low, high)
        for series in every_dot(interpret.recall_figure(table))
        for label, low, high in zip(series.y, series.low, series.high, strict=True)
    }
    stored = table.frame.select("class", "ci_low", "ci_high").rows()
    assert ends == {name: (low, high) for name, low, high in stored}


def test_a_hint_says_the_value_with_its_interval():
    row = {"label": "cat", "recall": 0.746, "ci_low": 0.718, "ci_high": 0.772}
    assert style.share_hint(row, "recall").replace("\u00a0", " ") == "cat: 74.6 % (71.8 % to 77.2 %)"
    assert style.share_hint({**row, "ci_low": None}, "recall").replace("\u00a0", " ") == "cat: 74.6 %"


def test_context_is_in_points_and_keeps_the_verdicts_apart(study: RunData):
    table = study.evidence["context"]
    figure = attribution.background_figure(table)
    assert sorted(values(figure).values()) == pytest.approx(sorted(100 * table.frame["effect"]))
    names = {series.name for series in every_dot(figure)}
    assert names == {"CLEAR", "INCONCLUSIVE", "BIASED", "control"}


def test_treatments_are_drawn_on_both_scores_where_both_are_known(study: RunData):
    table = study.evidence["treatments"]
    both = treat.treatments_figure(table)
    for name, macro, target in table.frame.select("name", "delta_macro_f1", "delta_target").rows():
        assert values(both, 0)[name] == pytest.approx(100 * macro)
        assert values(both, 1)[name] == pytest.approx(100 * target)
    units = {name: unit for name, unit in table.units.items() if name != "target_verdict"}
    one = treat.treatments_figure(replace(table, frame=table.frame.drop("target_verdict"), units=units))
    assert len(one.panels) == 1


def test_each_phase_is_marked_over_its_epochs(study: RunData):
    first, *others = model.learning_curves(study.history).panels
    bands = [(band.low, band.high, band.name) for band in first.bands]
    assert bands == [(0.5, 2.5, "frozen"), (2.5, 7.5, "fine-tuning")]
    assert all([(b.low, b.high) for b in panel.bands] == [(0.5, 2.5), (2.5, 7.5)] for panel in others)


def test_learning_curves_draw_what_the_history_has(study: RunData):
    short = model.learning_curves(study.history.drop("val_loss", "lr_base"))
    assert [len(panel.series) for panel in short.panels] == [1, 1, 1]
    none = model.learning_curves(study.history.drop("val_macro_f1"))
    assert len(none.panels) == 2


def test_empty_bins_of_calibration_are_not_drawn(study: RunData):
    table = study.evidence["calibration"]
    model_dots = every_dot(interpret.calibration_figure(table))[1]
    assert len(model_dots.x) == int((table.frame["n"] > 0).sum())


def test_degradation_starts_every_line_at_the_clean_score(study: RunData):
    table: Table = study.evidence["degradation"]
    for series in every_dot(interpret.degradation_figure(table)):
        assert series.y[0] == 0.9
        assert [round(x) for x in series.x] == [0, 1, 2, 3, 4, 5]
