"""Files of a run that are damaged, missing or from elsewhere are refused, with the remedy."""

from pathlib import Path

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.run import Run
from finished_stages import damage, failing, finished_stages


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_stages(tmp_path)


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


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied"])
def test_a_damaged_configuration_is_refused_whatever_still_can_be_read(run: Run, how: str) -> None:
    run.save_study({"data": "made", "plan": {"backbone": "resnet18"}})
    assert run.study()["plan"] == {"backbone": "resnet18"}
    damage(run.file("study.yaml"), how)
    with pytest.raises(DeepSightError, match=r"Expected study\.yaml .*start again elsewhere"):
        run.study()


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
    with pytest.raises(DeepSightError, match=r"index\.json .*is not a table name"):
        run.evidence()
