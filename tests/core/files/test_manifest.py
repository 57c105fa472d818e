"""A stage is done if its manifest holds; what differs from it is never taken for a result."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.manifest import read_manifests
from deepsight.core.run import Run


def table(value: int) -> Table:
    frame = pl.DataFrame({"n": [value]})
    return Table(frame, {"n": "images"}, value, "counted", f"{value} images.")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with two finished stages and a table of each."""
    made = Run.create(tmp_path / "a [1]?*", {"data": "made"})
    made.save_splits({name: np.arange(3) for name in ("train", "val", "test")})
    made.save_evidence(Evidence({"first": table(1)}))
    made.commit("scrub")
    made.save_json("hypotheses.json", {"hypotheses": []})
    made.save_evidence(Evidence({"second": table(2)}))
    made.commit("explore")
    return Run.open(made.path)


def failing(run: Run) -> dict[str, list[str]]:
    known = read_manifests(run.path)
    assert known is not None
    return {stage: known.failing(stage) for stage in known.by_stage}


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
    elif how == "truncated":
        del content[len(content) // 2 :]
    elif how == "emptied":
        content.clear()
    path.write_bytes(content)
    if how == "removed":
        path.unlink()


def test_an_undamaged_run_holds_and_gives_back_what_was_stored(run: Run) -> None:
    assert failing(run) == {"scrub": [], "explore": []}
    assert list(run.evidence()) == ["first", "second"]
    assert run.evidence()["second"].caption == "2 images."


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "removed"])
@pytest.mark.parametrize(
    ("name", "stage"),
    [("splits.npz", "scrub"), ("evidence/first.parquet", "scrub"), ("evidence/second.parquet", "explore")],
)
def test_any_damage_is_found_and_named_with_its_remedy(run: Run, name: str, stage: str, how: str) -> None:
    damage(run.file(name), how)
    assert failing(run) == {"scrub": [], "explore": []} | {stage: [name]}
    with pytest.raises(DeepSightError, match=f"Expected {name} .*Make it again: deepsight {stage} "):
        run.splits() if name == "splits.npz" else run.evidence()


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "removed"])
def test_the_index_of_the_tables_is_written_anew(run: Run, how: str) -> None:
    before = run.file("evidence/index.json").read_bytes()
    damage(run.file("evidence/index.json"), how)
    assert list(run.evidence()) == ["first", "second"]
    run.repair_index()
    assert run.file("evidence/index.json").read_bytes() == before


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


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied"])
def test_a_damaged_configuration_is_refused_whatever_still_can_be_read(run: Run, how: str) -> None:
    run.save_study({"data": "made", "plan": {"backbone": "resnet18"}})
    assert run.study()["plan"] == {"backbone": "resnet18"}
    damage(run.file("study.yaml"), how)
    with pytest.raises(DeepSightError, match=r"Expected study\.yaml .*start again elsewhere"):
        run.study()


def test_a_stage_that_is_not_reopened_keeps_what_it_had_made(run: Run) -> None:
    run.save_json("metrics.json", {"macro_f1": 0.9})
    run.commit("interpret")
    run.save_json("metrics.json", {"macro_f1": 0.9, "seconds": 3})
    run.commit("report")
    run.save_pictures({"evidence/pictures/a.png": b"a"})
    run.commit("report")
    assert failing(run) == {"scrub": [], "explore": [], "interpret": [], "report": []}


def test_a_run_of_an_earlier_version_is_still_read(run: Run) -> None:
    for path in run.file("manifests").iterdir():
        path.unlink()
    run.file("manifests").rmdir()
    assert list(run.evidence()) == ["first", "second"]
    run.commit("report", also=["splits.npz"])
    assert not run.has("manifests")
    damage(run.file("splits.npz"), "truncated")
    with pytest.raises(DeepSightError, match=r"splits\.npz .*cannot be used.* deepsight scrub "):
        run.splits()


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "a/../../b"])
def test_names_from_a_run_stay_inside_it(run: Run, name: str) -> None:
    with pytest.raises(DeepSightError, match="Expected a file inside"):
        run.file(name)
    for path in run.file("manifests").iterdir():
        path.unlink()
    run.file("manifests").rmdir()
    index = run.file("evidence/index.json")
    index.write_text(index.read_text().replace('"first"', f'"{name}"'))
    with pytest.raises(DeepSightError, match=r"index\.json .*no name of a table"):
        run.evidence()
