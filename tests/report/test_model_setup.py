"""The report on a foreign model begins with how the model is used, in plain words."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.evidence import Evidence, Table
from deepsight.core.run import Run
from deepsight.interpret.audits.class_order import audit_class_order
from deepsight.interpret.audits.preprocessing import audit_preprocessing
from deepsight.report import html, model_setup
from deepsight.report.figures.model_setup import methods_figure, preprocessing_figure
from deepsight.report.run_data import read_run_data
from made_run import made, tried_maps

CLASSES = ("cat", "dog", "owl", "yak")
LABELS = np.arange(400) % 4


def answers(share_right: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(LABELS)) < share_right, LABELS, (LABELS + 1) % 4)


def preprocessing(best: float) -> Table:
    """The audit of a model that does so well on BGR, and is documented for RGB."""
    tried = {"as documented": answers(0.7, 0), "BGR": answers(best, 1), "pixels 0 to 255": answers(0.3, 2)}
    logits = {name: 3 * np.eye(4)[said] for name, said in tried.items()}
    return audit_preprocessing(logits, LABELS, documented=True).table


def class_order(*, exchanged: bool) -> Table:
    said = answers(0.8, 3)
    return audit_class_order(LABELS, np.array([1, 0, 2, 3])[said] if exchanged else said, CLASSES).table


def examination(folder: Path, tables: Mapping[str, Table]) -> Run:
    run = Run.create(folder, {"data": "folder:photos", "examined": {"model": "onnx:theirs.onnx"}})
    run.save_evidence(Evidence(tables))
    return run


@pytest.mark.parametrize("wrong", [True, False])
def test_the_audits_stand_first(tmp_path: Path, wrong: bool) -> None:
    tables = {
        "recall": made([{"class": "cat", "group": "", "n": 3, "recall": 0.5, "ci_low": 0.1, "ci_high": 0.9,
                         "precision": 0.5, "f1": 0.5}], 3, "Cats are hard."),
        "class_order_audit": class_order(exchanged=wrong),
        "preprocessing_audit": preprocessing(0.9 if wrong else 0.6),
    }  # fmt: skip
    run = examination(tmp_path / "run", tables)
    lines = model_setup.setup_lines(read_run_data(run))
    assert [(line.title, line.wrong) for line in lines] == [
        ("Preprocessing", wrong), ("Order of the classes", wrong)
    ]  # fmt: skip
    assert lines[0].sentence.startswith("With BGR it gains") == wrong
    text = html.render(run).read_text(encoding="utf-8")
    assert text.index('class="setup"') < text.index("<h1>")
    assert text.count('class="setup-line wrong"') == 2 * wrong
    places = [text.index(f'id="{name}"') for name in ("preprocessing_audit", "class_order_audit", "recall")]
    assert places == sorted(places)


def test_an_examination_asks_for_no_further_stages(tmp_path: Path) -> None:
    run = examination(tmp_path / "run", {"class_order_audit": class_order(exchanged=False)})
    text = html.render(run).read_text(encoding="utf-8")
    assert "has not run yet" not in text
    assert "Not available yet" not in text
    assert 'id="setup"' in text
    assert 'id="treat"' not in text


def test_a_study_has_no_audits(complete: Run) -> None:
    study = read_run_data(complete)
    assert not model_setup.is_examination(study)
    assert "setup" not in [stage.name.lower() for stage in model_setup.outline_of(study)]
    assert model_setup.setup_lines(study) == []


@pytest.mark.parametrize("wrong", [True, False])
def test_advice_follows_from_the_tables(wrong: bool) -> None:
    said = model_setup.preprocessing_advice(preprocessing(0.9 if wrong else 0.6))
    assert ("wherever the model is used" in said) == wrong
    said = model_setup.class_order_advice(class_order(exchanged=wrong))
    assert ("--classes" in said) == wrong


def test_the_figure_fills_the_preprocessing_in_use() -> None:
    table = preprocessing(0.9)
    in_use, tried = preprocessing_figure(table).panels[0].series
    assert list(in_use.y) == ["BGR"]
    gain = table.frame.filter(preprocessing="BGR")["difference"][0]
    assert list(in_use.x) == pytest.approx([100 * gain])
    assert set(tried.y) == {"as documented", "pixels 0 to 255"}


def test_a_method_without_mosaics_has_no_dot_for_grid_pointing() -> None:
    series = {s.name: list(s.y) for s in methods_figure(tried_maps()).panels[0].series}
    assert "attention rollout at blocks.1" in series["deletion"]
    assert "attention rollout at blocks.1" not in series["grid pointing"]
