"""Settings by the network of a finished study, which is examined and stands for a reference model.

A reference model is what the minutes of `examine` pay for, so on a busy machine it is a poor one. The network
of a study that was made in peace shows what the judges can do, and serves all settings at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measures import Measured
from settings import FOREIGN_ROWS, FOREIGN_SIDE, VOTED, features_of
from votes import Votes, planted_labels

from deepsight.core.array_types import Floats32, Ints
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.interpret.examine import labels_of
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import Predictor
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.linear_probe import fit_linear_probe
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.workflows.examine.examination_inputs import reference_inputs
from deepsight.workflows.examine.independent_rows import independent_rows
from deepsight.workflows.examine.reference_model import Reference
from deepsight.workflows.trained_model import open_trained

EXAMINED = "network of a finished study"
ELSEWHERE = "model trained elsewhere, judged by it"
SHARES = (0.0, 0.02, 0.1, 0.005)  # of labels planted


@dataclass(frozen=True)
class StudyJudges:
    """What the network of a study says of images that it has not learnt from.

    Attributes:
        data: the judged images with official labels.
        votes: on them.
        others: images without votes, of which a model trained elsewhere learns.
        predictor: the study's network.
        said: its predictions of the judged images.
        frozen: (n, d), features of the judged images from before the training.
        train, val: the study's own, as it stored them.
    """

    data: Dataset
    votes: Votes
    others: Dataset
    predictor: Predictor
    said: Predictions
    frozen: Floats32
    train: ExaminedSplit
    val: Predictions


def judges_of(folder: Path, votes: Votes, rows: Ints, most: int) -> StudyJudges:
    """The judges that a run folder gives for at most so many of these rows that its network never saw."""
    trained, whole = open_trained(folder), load_cifar10().train
    run = trained.run
    with np.load(run.path / "splits.npz") as splits:
        seen = np.concatenate([splits["train"], splits["val"]])
    unseen = np.setdiff1d(rows, seen)[:most]
    clean = unseen[independent_rows(whole.select(unseen), whole.select(np.sort(seen)), seed=0)]
    data, kept = whole.select(clean), run.predictions("train_frozen")
    frozen = FrozenBackbone(load_pretrained(run.read_json("model.json")["architecture"]))
    said, before = frozen.beside(trained.predictor, data, name="judged")
    others = whole.select(np.arange(VOTED, len(whole)))
    train = ExaminedSplit(kept.ids, kept.labels, None, kept.features, "frozen")
    return StudyJudges(
        data, votes.select(clean), others, trained.predictor, said, before, train, run.predictions("val")
    )


def settings_of(judges: StudyJudges) -> Iterator[tuple[str, Evidence, Measured]]:
    """The name of each setting with the evidence about labels and its measures, one after the other."""
    yield EXAMINED, *examined(judges)
    logits = elsewhere_logits(judges)
    for share in SHARES:
        name = f"{ELSEWHERE}, {100 * share:g} % planted" if share else ELSEWHERE
        yield name, *elsewhere(judges, logits, share)


def examined(judges: StudyJudges) -> tuple[Evidence, Measured]:
    """The study's own network, examined as a study examines its test images."""
    inputs = ExaminationInputs(
        judges.data, judges.said, validation=judges.val, train=judges.train, more={"frozen": judges.frozen}
    )
    nothing = np.zeros(len(judges.data), dtype=bool)
    return labels_of(inputs, judges.predictor), Measured(judges.votes, judges.said, nothing)


def elsewhere_logits(judges: StudyJudges) -> Floats32:
    """What a probe on few images at a low resolution says."""
    few = judges.others.select(np.random.default_rng(0).permutation(len(judges.others))[:FOREIGN_ROWS])
    probe = fit_linear_probe(features_of(few, FOREIGN_SIDE), few.labels, few.k)
    return np.asarray(probe(features_of(judges.data, FOREIGN_SIDE)), np.float32)


def elsewhere(judges: StudyJudges, logits: Floats32, share: float) -> tuple[Evidence, Measured]:
    """The probe's predictions, judged by the study's network; a share of the labels is planted."""
    official = judges.votes.official
    labels = planted_labels(judges.votes, share, seed=0) if share else official
    features = {"reference": np.asarray(judges.said.features, np.float32), "frozen": judges.frozen}
    reference = Reference(
        judges.said.probabilities, features, judges.train, judges.predictor.preprocessing.resolution,
        len(judges.train.ids),
    )  # fmt: skip
    given = Predictions(judges.data.ids, labels, logits, np.empty((len(labels), 0), np.float32))
    inputs = reference_inputs(reference, judges.data.with_labels(labels), given, None, 0)
    return labels_of(inputs), Measured(judges.votes, given, labels != official)
