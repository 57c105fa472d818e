"""Numbers are written as the field writes them, and never lie by rounding away a sign."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.report.numbers import cell, count, duration, fraction, percent, points


@given(st.floats(0, 1))
def test_a_percentage_reads_back(share: float):
    assert float(percent(share, 3).replace("\u00a0%", "")) == pytest.approx(100 * share, abs=5e-4)


@given(st.floats(-1, 1))
def test_points_always_show_their_sign(value: float):
    text = points(value)
    assert text[0] in "+−"
    assert float(text.replace("−", "-")) == pytest.approx(100 * value, abs=0.051)


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_a_fraction_keeps_its_size(value: float):
    assert float(fraction(value).replace("−", "-").replace(",", "")) == pytest.approx(
        value, rel=0.06, abs=5.1e-4
    )


@pytest.mark.parametrize("write", [percent, points, count, duration, cell])
@pytest.mark.parametrize("nothing", [None, math.nan])
def test_what_is_absent_is_a_dash(write, nothing):
    assert write(nothing) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (290, "4 min 50 s"), (3900, "1 h 5 min")],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (False, "no"), (3, "3"), (1e-7, "1.0e−07"), (["a", "b"], "a, b"), ("x", "x"), (0.0, "0")],
)
def test_cells(value, text: str):
    assert cell(value) == text
