"""The parts of the planted-context benchmark that its figures rest on: where cues lie, and how it counts."""

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks/planted_context"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "report", raising=False)


def test_every_cue_but_the_tint_leaves_the_middle_alone() -> None:
    from cues import CUES, K

    images = np.random.default_rng(0).integers(0, 256, (K, 32, 32, 3), dtype=np.uint8)
    for name, cue in CUES.items():
        shown = cue(images, np.arange(K))
        assert (shown != images).any(axis=(1, 2, 3)).all(), name
        same = (shown[:, 10:22, 10:22] == images[:, 10:22, 10:22]).all()
        assert same == (name != "tint"), name


def test_the_appearances_of_a_cue_differ() -> None:
    from cues import CUES, K

    image = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    for name, cue in CUES.items():
        shown = cue(np.repeat(image, K, axis=0), np.arange(K)).reshape(K, -1)
        assert len(np.unique(shown, axis=0)) == K, name


def test_alignment_is_the_share_that_carries_its_own_cue() -> None:
    from worlds import aligned_share

    rng = np.random.default_rng(0)
    for rho in (0.1, 0.5, 0.95, 1.0):
        sure = aligned_share(rho, 40_000, rng)
        carries = sure | (rng.random(40_000) < 0.1)
        assert carries.mean() == pytest.approx(rho, abs=0.01)


@pytest.mark.parametrize(("alarms", "n"), [(0, 59), (1, 93), (2, 124), (5, 208)])
def test_the_counts_of_clean_models_that_bound_the_false_alarms(alarms: int, n: int) -> None:
    from report import upper_bound

    assert upper_bound(alarms, n) <= 0.05 < upper_bound(alarms, n - 1)


def test_scores_and_verdicts_of_a_perfect_detector_meet_all_bars() -> None:
    from report import bars

    rows: list[dict[str, object]] = [
        {
            "kind": "head", "world": "neutral", "cue": cue, "rho": rho, "model": i,
            "reliance": rho - 0.1 + i / 1e4, "gap": 0.8 * (rho - 0.1) + i / 1e4,
            "verdict": "BIASED" if rho > 0.3 else "CLEAR",
        }
        for cue in ("a", "b") for rho in (0.1, 0.95) for i in range(30)
    ]  # fmt: skip
    assert [line.endswith(": met") for line in bars(rows)][1:] == [True] * 4
    rows[0]["verdict"] = "BIASED"
    assert [line.endswith(": met") for line in bars(rows)][1:] == [True, True, False, True]
