"""A stage is done if its manifest holds; what differs from it is never taken for a result."""

from pathlib import Path

import numpy as np
import pytest

from deepsight.core.evidence import Evidence
from deepsight.core.run import Run
from finished_stages import damage, failing, finished_stages, table


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_stages(tmp_path)


def test_an_undamaged_run_holds_and_gives_back_what_was_stored(run: Run) -> None:
    assert failing(run) == {"scrub": [], "explore": []}
    assert list(run.evidence()) == ["first", "second"]
    assert run.evidence()["second"].caption == "2 images."


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "removed"])
def test_a_damaged_manifest_counts_as_none(run: Run, how: str) -> None:
    damage(run.file("manifests/explore.json"), how)
    assert failing(run) == {"scrub": []}
    assert list(run.evidence()) == ["first"]


def test_what_was_written_but_not_committed_does_not_count(run: Run) -> None:
    """As if the process had been killed between the index and the manifest."""
    run.save_evidence(Evidence({"third": table(3)}))
    assert list(Run.open(run.path).evidence()) == ["first", "second"]
    run.commit("train")
    assert list(Run.open(run.path).evidence()) == ["first", "second", "third"]


def test_a_stage_that_is_done_again_alike_keeps_the_later_ones(run: Run) -> None:
    run.reopen("scrub")
    assert list(Run.open(run.path).evidence()) == ["second"]
    run.save_splits({name: np.arange(3) for name in ("train", "val", "test")})
    run.save_evidence(Evidence({"first": table(1)}))
    run.commit("scrub")
    assert failing(run) == {"explore": [], "scrub": []}
    assert list(Run.open(run.path).evidence()) == ["first", "second"]  # in the order of the stages


def test_a_stage_that_made_something_else_lets_the_later_ones_be_done_again(run: Run) -> None:
    run.reopen("scrub")
    run.save_splits({name: np.arange(4) for name in ("train", "val", "test")})
    run.commit("scrub")
    assert failing(run) == {"scrub": []}


def test_a_later_stage_speaks_for_a_file_that_it_wrote_anew(run: Run) -> None:
    run.save_json("metrics.json", {"macro_f1": 0.9})
    run.commit("interpret")
    run.save_json("metrics.json", {"macro_f1": 0.9, "seconds": 3})
    run.commit("report")
    assert failing(run)["interpret"] == []
    damage(run.file("metrics.json"), "flipped")
    assert failing(run)["interpret"] == []
    assert failing(run)["report"] == ["metrics.json"]
    run.save_json("metrics.json", {"macro_f1": 0.9})
    run.reopen("interpret")
    run.commit("interpret")
    run.save_pictures({"evidence/pictures/a.png": b"a"})
    run.commit("report")
    assert failing(run)["interpret"] == failing(run)["report"] == []


def test_a_stage_that_is_not_reopened_keeps_what_it_had_made(run: Run) -> None:
    run.save_json("metrics.json", {"macro_f1": 0.9})
    run.commit("interpret")
    run.save_json("metrics.json", {"macro_f1": 0.9, "seconds": 3})
    run.commit("report")
    run.save_pictures({"evidence/pictures/a.png": b"a"})
    run.commit("report")
    assert failing(run) == {"scrub": [], "explore": [], "interpret": [], "report": []}
