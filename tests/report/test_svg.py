"""The drawing: well-formed, both widths, nothing outside, all text escaped."""

import re
from xml.etree import ElementTree

import pytest

from deepsight.report.figures import marks, svg
from deepsight.report.figures.plot import Axis, Band, Bars, Dots, Figure, Panel
from deepsight.report.run_data import RunData
from deepsight.report.sections import OUTLINE

DRAWN = [entry for stage in OUTLINE for entry in stage.entries if entry.draw]


def drawings(figure: Figure) -> tuple[ElementTree.Element, ElementTree.Element]:
    wide, narrow = ElementTree.fromstring(f"<both>{svg.draw_figure(figure)}</both>")
    return wide, narrow


def simple(**options: object) -> Figure:
    dots = Dots("model", [0.2, 0.6], ["cat", "dog"], 0, low=[0.1, None], high=[0.3, None], **options)
    return Figure([Panel(Axis("share", unit="share"), Axis(categories=("cat", "dog")), [dots])])


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_all_text_lies_inside_both_drawings(study: RunData, entry):
    for drawing, width in zip(drawings(entry.draw(study.evidence[entry.name])), (900, 360), strict=True):
        *_, wide, high = map(float, drawing.get("viewBox").split())
        assert wide == width
        for text in drawing.iter("text"):
            assert 0 <= float(text.get("x")) <= wide + 1
            assert 0 <= float(text.get("y")) <= high


@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_neither_drawing_holds_a_number_that_is_none(study: RunData, entry):
    assert not re.search(r"\b(nan|inf|None)\b", svg.draw_figure(entry.draw(study.evidence[entry.name])))


def test_places_follow_the_values():
    wide, _ = drawings(simple())
    paths = [path.get("d") for path in wide.iter("path") if path.get("class") == "full"]
    first, second = (float(x) for x in re.findall(r"M([\d.]+),", "".join(paths)))
    interval = next(path.get("d") for path in wide.iter("path") if path.get("class") == "interval")
    low, high = map(float, re.match(r"M([\d.]+),[\d.]+H([\d.]+)", interval).groups())
    assert second - first == pytest.approx(2 * (high - low), abs=0.3)  # 0.4 against 0.2 on one scale
    assert (low + high) / 2 == pytest.approx(first + 5, abs=0.2)  # a circle starts at its left rim


def test_hints_become_titles_and_are_escaped():
    text = svg.draw_figure(simple(hints=["cat & <dog>", "b"]))
    assert "<title>cat &amp; &lt;dog&gt;</title>" in text
    assert [title.text for title in drawings(simple(hints=["a", "b"]))[0].iter("title")] == ["a", "b"]


def test_panels_stand_beside_each_other_only_where_there_is_room():
    panel = simple().panels[0]
    wide, narrow = drawings(Figure([panel, panel]))
    height = [float(d.get("viewBox").split()[3]) for d in (wide, narrow)]
    assert height[1] == pytest.approx(2 * height[0], rel=0.01)
    stacked, _ = drawings(Figure([panel, panel], stacked=True))
    assert float(stacked.get("viewBox").split()[3]) == pytest.approx(2 * height[0], rel=0.01)


def test_bars_start_at_zero_and_are_as_long_as_their_values():
    figure = Figure(
        [Panel(Axis(bounds=(0, 1)), Axis(categories=("a", "b")), [Bars([0.25, 0.5], ["a", "b"], 0)])]
    )
    first, second = [r for r in drawings(figure)[0].iter("rect") if r.get("class") == "bar"]
    assert float(second.get("width")) == pytest.approx(2 * float(first.get("width")), abs=0.2)
    assert first.get("x") == second.get("x")


def test_what_has_no_value_is_left_out():
    dots = Dots("", [1.0, 2.0, None], [None, 0.5, 0.5], 0, hints=["a", "b", "c"])
    wide, _ = drawings(Figure([Panel(Axis(), Axis(), [dots])]))
    assert [title.text for title in wide.iter("title")] == ["b"]


def test_one_series_needs_no_legend():
    assert simple().keys == []
    empty = Dots("nothing of this kind", [], [], 0)
    assert Figure([Panel(Axis(), Axis(), [empty, Dots("a", [1.0], [1.0], 0)])]).keys == []
    two = [Dots(name, [1.0], [1.0], 0) for name in ("a", "b", "a")]
    assert [series.name for series in Figure([Panel(Axis(), Axis(), two)]).keys] == ["a", "b"]


@pytest.mark.parametrize("name", marks.SYMBOL_NAMES)
def test_symbols_lie_about_their_place(name: str):
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", marks.symbol_path(name, 0, 0, 10))]
    assert max(map(abs, numbers)) <= 32
    assert len({marks.symbol_path(other, 0, 0, 10) for other in marks.SYMBOL_NAMES}) == len(
        marks.SYMBOL_NAMES
    )


def test_values_that_are_not_numbers_have_no_symbol():
    dots = Dots("loss", [1.0, 2.0, 3.0], [0.4, float("nan"), 0.2], 0, low=[0.3, 0.1, float("nan")],
                high=[0.5, 0.2, 0.4], along="y", line="solid")  # fmt: skip
    figure = Figure([Panel(Axis("epoch"), Axis("loss"), [dots])])
    drawn = str(svg.draw_figure(figure))
    assert "nan" not in drawn
    (line, _) = re.findall(r'class="line" d="M([^"]*)"', drawn)
    assert line.count("L") == 1


def test_curves_stay_below_the_name_of_a_phase():
    dots = Dots("loss", [1.0, 2.0], [0.1, 0.9], 0)
    panel = Panel(Axis(bounds=(0.5, 2.5)), Axis("loss"), [dots], bands=[Band(0.5, 2.5, "fine-tuning")])
    for drawing in drawings(Figure([panel])):
        name = next(text for text in drawing.iter("text") if text.text == "fine-tuning")
        starts = [
            re.match(r"M[\d.]+,([\d.]+)", path.get("d"))
            for path in drawing.iter("path")
            if path.get("class") == "full"
        ]
        assert min(float(start[1]) for start in starts) - dots.size > float(name.get("y"))
