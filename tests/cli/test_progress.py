"""What is said while a command runs: plain lines in a log, and the time left that the plan predicts."""

import io
import re
import sys
from pathlib import Path

import pytest
import yaml

from deepsight.cli import forecast as forecasts
from deepsight.cli.forecast import Forecast
from deepsight.cli.progress import progress
from deepsight.core.progress import StageStarted

PREDICTED = {
    "scrub": 10.0, "explore": 5.0, "frozen": 20.0, "finetune": 80.0, "predict": 15.0, "interpret": 40.0,
    "report": 5.0,
}  # fmt: skip


class Screen(io.StringIO):
    """A terminal that remembers what was drawn."""

    def isatty(self) -> bool:
        return True


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(forecasts.time, "perf_counter", lambda: hands.now)
    return hands


def planned(folder: Path) -> Path:
    (folder / "study.yaml").write_text(yaml.safe_dump({"plan": {"predicted_seconds": PREDICTED}}))
    return folder


def test_the_plan_says_what_is_left_of_this_stage_and_the_later_ones(tmp_path: Path, hands: Hands) -> None:
    forecast = Forecast(planned(tmp_path), minutes=5)
    forecast.stage_started("train")
    assert forecast.left() == 100 + 15 + 40 + 5
    hands.now += 60
    assert forecast.left() == 40 + 15 + 40 + 5
    hands.now += 1000  # a stage that takes longer than predicted does not eat the time of the later ones
    assert forecast.left() == 15 + 40 + 5
    assert forecast.words() == "about 60 s left"


def test_without_a_plan_the_minutes_count_down_and_without_both_nothing_is_known(
    tmp_path: Path, hands: Hands
) -> None:
    forecast = Forecast(tmp_path, minutes=5)
    forecast.stage_started("obtain")
    hands.now += 30
    assert forecast.left() == 270
    assert Forecast(None).left() is None
    assert Forecast(None).words() == ""


def test_a_sentence_that_looks_like_a_stage_is_none(
    tmp_path: Path, hands: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress(planned(tmp_path)) as log:
        log("[train]")
    assert capsys.readouterr().err == "[train]\n"


def test_in_a_log_lines_stay_plain_and_stages_carry_the_time_left(
    tmp_path: Path, hands: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress(planned(tmp_path)) as log:
        log(StageStarted("interpret"))
        log("loss [bold]0.3[/bold], " + "a long line that no terminal width may break " * 5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[interpret] about 45 s left"
    assert lines[1].startswith("loss [bold]0.3[/bold], a long line")
    assert len(lines) == 2


def test_on_a_terminal_a_clock_names_the_stage_and_the_time_left(
    tmp_path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Screen()
    monkeypatch.setattr(sys, "stderr", drawn)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with progress(planned(tmp_path)) as log:
        log(StageStarted("train"))
        log("an epoch")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.getvalue())
    assert "train 0:00, about 3 min left" in shown
    assert "an epoch\n" in shown
    assert "[train]" not in shown
