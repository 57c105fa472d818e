"""A model that has learnt nothing gets no maps in its report, from its own failed checks to the page."""

import shutil

import numpy as np
import pytest

from conv_nets import SmallNet
from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.interpret.attribution.stage_maps import StageMaps
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.report import html
from deepsight.report.embedded_images import Pictures
from deepsight.report.galleries import gallery_data
from deepsight.report.run_data import read_run_data
from open_nets import OpenNet


def unlearned(test: Dataset) -> tuple[ExaminationInputs, OpenNet]:
    """A network with random weights, as it answers on real images."""
    model, some = OpenNet(SmallNet(test.k, seed=7)), test.select(np.arange(600))
    model.net.head.weight.normal_(0, 3)
    said = Predictions(some.ids, some.labels, model.logits(some.pixels()), np.zeros((600, 0), np.float32))
    return ExaminationInputs(test=some, predictions=said, seed=0), model


@pytest.fixture(scope="module")
def refused(complete: Run, cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The complete run, with the checks of the random network's maps in place of its own."""
    path = tmp_path_factory.mktemp("refused") / "run"
    shutil.copytree(complete.path, path)
    inputs, model = unlearned(cifar10[1])
    found = check_faithfulness(inputs, StageMaps.of(model), model.logits, 60)
    run = Run.open(path)
    run.save_evidence(found.evidence)
    return run


def test_the_random_network_fails_its_own_checks(refused: Run) -> None:
    table = refused.evidence()["faithfulness"]
    assert table.frame["passed"].eq(False).any()
    assert "maps (closed form at stage) are refused" in table.caption


def test_the_page_gives_the_reason_in_place_of_the_pictures(refused: Run) -> None:
    text = html.render(refused).read_text(encoding="utf-8")
    assert "No maps are shown." in text
    assert "they do no better than maps that know nothing about the model" in text


def test_no_finding_rests_on_refused_maps(refused: Run, complete: Run) -> None:
    for run, answered in ((refused, False), (complete, True)):
        text = html.report_page(read_run_data(run))
        place = text[text.index('id="attribution_classes"') : text.index('id="faithfulness"')]
        assert ("chart-attribution_classes" in place) == answered
        assert ("Not answered, since it rests on the maps." in place) != answered


def test_no_picture_of_a_map_is_on_the_page(refused: Run, complete: Run) -> None:
    for run, shown in ((refused, False), (complete, True)):
        drawn = gallery_data(read_run_data(run), Pictures(run.path))
        assert bool(drawn["maps"]) == shown
        assert any("map" in record for record in drawn["errors"]["records"]) == shown
