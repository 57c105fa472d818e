"""Values land where they belong, and ticks are round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.report.figures import scale
from deepsight.report.figures.plot import Axis, Band, Bars, Dots, Panel

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def test_a_scale_is_linear_between_its_ends():
    x = scale.Scale(Axis(), low=0.2, high=0.6, start=100, end=300)
    assert [x(0.2), x(0.4), x(0.6)] == pytest.approx([100, 200, 300])


def test_categories_lie_in_the_middle_of_their_lines():
    y = scale.scale(Axis(categories=("cat", "dog")), ["cat", "dog"], 0, 100)
    assert [y("cat"), y("dog")] == [25, 75]


@given(low=NUMBERS, span=st.floats(1e-6, 1e6), wanted=st.integers(2, 12))
def test_ticks_are_round_inside_and_few(low: float, span: float, wanted: int):
    values = scale.round_values(low, low + span, wanted)
    assert len(values) <= wanted + 1
    assert all(low - 1e-6 * span - 1e-9 <= v <= low + span + 1e-6 * span + 1e-9 for v in values)
    assert values == sorted(set(values))


@pytest.mark.parametrize(
    ("low", "high", "wanted", "expected"),
    [
        (0.0, 0.178, 8, [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16]),
        (-13, 63, 4, [0, 20, 40, 60]),
        (0.25, 0.9, 3, [0.4, 0.6, 0.8]),
    ],
)
def test_ticks_by_hand(low, high, wanted, expected):
    assert scale.round_values(low, high, wanted) == pytest.approx(expected)


def test_ticks_are_written_in_their_unit():
    assert scale.texts([0.0, 0.05], "share") == ["0\u00a0%", "5\u00a0%"]
    assert scale.texts([0.0, 2e-9], "number") == ["0", "2e\u221209"]
    assert scale.texts([-5, 0, 5], "points") == ["\u22125", "0", "+5"]
    assert scale.texts([0.5, 1.0], "number") == ["0.5", "1.0"]
    assert scale.texts([1000.0, 2000.0], "number") == ["1,000", "2,000"]


def test_a_count_has_no_ticks_between_whole_numbers():
    epochs = scale.Scale(Axis(unit="count"), low=0.5, high=2.5, start=0, end=100)
    assert [text for _, text in epochs.ticks(10)] == ["1", "2"]


def test_an_axis_shows_intervals_bands_rules_and_the_start_of_bars():
    dots = Dots("", [1.0], ["a"], 0, low=[0.5], high=[None])
    panel = Panel(Axis(), Axis(categories=("a",)), [dots], bands=[Band(-1, 3)], rules=(4,))
    low, high = scale.extent(panel.x, scale.along(panel, "x"))
    assert low < -1 < 4 < high
    bars = Panel(Axis(), Axis(categories=("a",)), [Bars([5.0], ["a"], 0)])
    assert scale.extent(bars.x, scale.along(bars, "x"))[0] < 0


def test_bounds_of_an_axis_hold():
    assert scale.extent(Axis(bounds=(0, None)), [2.0, 4.0])[0] == 0
    assert scale.extent(Axis(), [3.0, 3.0]) == (2.5, 3.5)
    assert scale.extent(Axis(), [None])[0] < scale.extent(Axis(), [None])[1]
