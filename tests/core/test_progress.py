"""A long loop says how far it is and how long it will take; a short one says nothing."""

import pytest

from deepsight.core import progress
from deepsight.core.progress import EpochEnded, LoopProgress, Progress, StageStarted, spoken


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (3600, "60 min"), (9000, "2.5 h")]
)
def test_durations_are_spoken_in_one_unit(seconds, words):
    assert spoken(seconds) == words


def told(monkeypatch, counts, seconds_each, n):
    """The events of a loop whose steps take so many seconds on a clock that is ours."""
    now, said = [0.0], []
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    one = Progress("images", n, said.append)
    for count in counts:
        now[0] += seconds_each
        one.done(count)
    return said


def test_each_tenth_is_told_with_the_time_left(monkeypatch):
    said = told(monkeypatch, range(100, 1001, 100), 10, 1000)
    assert said[0] == LoopProgress("images", 100, 1000, 90.0)
    assert str(said[0]) == "100 of 1,000 images, about 2 min left."
    assert str(said[-1]) == "900 of 1,000 images, about 10 s left."
    assert len(said) == 9


def test_a_quick_loop_is_silent_and_no_tenth_is_told_twice(monkeypatch):
    assert told(monkeypatch, range(100, 1001, 100), 0.01, 1000) == []
    assert len(told(monkeypatch, [100, 110, 120, 130], 5, 1000)) == 1


def test_every_event_is_a_line():
    assert str(StageStarted("train")) == "[train]"
    line = str(EpochEnded("finetune", 0.5, 1.2345, 0.6789, 12.4))
    assert line == "finetune epoch 0.50: loss 1.234, validation macro-F1 0.679 (12 s)"
