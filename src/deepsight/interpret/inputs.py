"""Inputs of an examination: a data set, a model's predictions for it, and what they are compared with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.hypothesis import Hypothesis, class_groups
from deepsight.core.predictions import Predictions
from deepsight.interpret.findings import NO_TIME, Refusal
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.interpret.slices.metadata import property_columns
from deepsight.interpret.slices.training_distance import training_distance


@dataclass(frozen=True)
class ExaminationInputs:
    """A model's predictions on a test set, and what the examination compares them with.

    Attributes:
        test: the images and their given labels.
        predictions: for the test images, in their order.
        validation: predictions of the validation images, or None; temperatures are fitted on them.
        train: the training labels and features, or None.
        others: the train and val splits by name: for pictures of suspected labels, and for the effect of
            image quality on validation.
        more: features (n, d) of the test images from other networks, by the name of their space. Those of the
            backbone before fine-tuning do not share the model's mistakes.
        judges: probabilities (n, k) of the test images from other models, by name, such as a reference model
            that was trained on the same classes.
        conflicting_twins: (n,), the probability that a test image has a near-duplicate of another class in
            another split, or None where this was not examined.
        leaks_kept: whether near-duplicates of test images stayed in the training set.
        hypotheses: registered before training.
        unseen: int64 (m,), the rows of the test set that the model was not trained on, where predictions come
            from several models; checks that need the model use only these. None is all.
        refusals: what could not be prepared, with the reasons.
        measured: `measured_properties` of the test images if they are known; None measures them when needed.
        seed: random seed.
    """

    test: Dataset
    predictions: Predictions
    validation: Predictions | None = None
    train: ExaminedSplit | None = None
    others: Mapping[str, Dataset] = field(default_factory=dict)
    more: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    judges: Mapping[str, Floats] = field(default_factory=dict)
    conflicting_twins: NDArray[np.float64] | None = None
    leaks_kept: bool = False
    hypotheses: Sequence[Hypothesis] = ()
    unseen: Ints | None = None
    refusals: Sequence[Refusal] = ()
    measured: pl.DataFrame | None = None
    seed: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.test.classes

    @property
    def groups(self) -> dict[str, str]:
        """The group of each class, from the hypotheses."""
        return class_groups(self.hypotheses)

    def of_unseen(self) -> "ExaminationInputs":
        """The same inputs with only the test images that the model was not trained on."""
        if self.unseen is None:
            return self
        p, rows = self.predictions, self.unseen
        twins = self.conflicting_twins
        return replace(
            self, unseen=None, test=self.test.select(rows),
            predictions=Predictions(p.ids[rows], p.labels[rows], p.logits[rows], p.features[rows]),
            more={name: features[rows] for name, features in self.more.items()},
            conflicting_twins=None if twins is None else twins[rows],
            measured=None if self.measured is None else self.measured[rows],
        )  # fmt: skip

    def label_parts(self) -> dict[str, ExaminedSplit]:
        """The splits whose labels are examined; no source has seen the labels that it judges.

        Features that replace the unknown ones of a model are also in `more`, and count once.
        """
        parts = {} if self.train is None else {"train": self.train}
        held_out = {"val": (self.validation, {}, {}), "test": (self.predictions, self.more, self.judges)}
        return parts | {
            name: ExaminedSplit(
                p.ids, p.labels, p.probabilities, own_features(p, more), "model", more, judges,
                self.groups_of_images(name, p.ids),
            )
            for name, (p, more, judges) in held_out.items()
            if p is not None
        }  # fmt: skip

    def groups_of_images(self, split: str, ids: Ints) -> Ints | None:
        """The group of each image of a split, int64 (n,); None where images have none or are not at hand."""
        data = self.test if split == "test" else self.others.get(split)
        return None if data is None or data.groups is None else select_ids(data, ids).groups

    @cached_property
    def properties(self) -> pl.DataFrame:
        """Measured properties of each test image, and its distance from the training images."""
        measured = measured_properties(self.test.images) if self.measured is None else self.measured
        distance = self.training_distance()
        return measured if distance is None else measured.with_columns(training_distance=distance)

    @cached_property
    def slice_properties(self) -> pl.DataFrame:
        """What slices are searched over: the measured properties and the metadata of each test image."""
        if self.test.metadata is None:
            return self.properties
        more = property_columns(self.test.metadata)
        new = [name for name in more.columns if name not in self.properties.columns]
        return self.properties.hstack(more.select(new))

    def training_distance(self) -> Floats | None:
        """The distance of each test image, (n,), or None unless one network's features of both are known."""
        if self.train is None or self.train.features is None or self.train.space not in self.more:
            return None
        return training_distance(self.more[self.train.space], self.train.features)

    @cached_property
    def validation_properties(self) -> pl.DataFrame | None:
        """Measured properties of each validation image, or None without validation."""
        if self.validation is None or "val" not in self.others:
            return None
        return measured_properties(self.others["val"].images)

    def pixels_of(self, split: str, ids: NDArray[np.int64]) -> Pixels:
        """Images (m, h, w, 3) of a split by their ids."""
        data = self.test if split == "test" else self.others[split]
        return select_ids(data, ids).pixels()


def own_features(
    predictions: Predictions, more: Mapping[str, NDArray[np.floating]]
) -> NDArray[np.floating] | None:
    """The features of the model itself, or None where they are not known."""
    own = predictions.features
    return own if own.size and not any(own is other for other in more.values()) else None


@dataclass(frozen=True)
class SampleSizes:
    """How many images the costly checks take: counts, so that a stored study can be repeated anywhere.

    A count of 0 means that there is no time for the check, which is then refused.

    Attributes:
        degradation_images: each seen under 30 corruptions.
        context_objects: each put on ten backgrounds; as many errors, up to 400, on seven.
        faithfulness_images: for insertion and deletion, each seen 58 times, or 250 times where there are many
            (`insertion_deletion.steps_for`). Below 60 the other checks are smaller too.
        choosing_images: by which the method of the maps is chosen, where there is a choice; with 0 it is the
            first that the model allows.
        mapped_errors: errors whose maps are drawn.
        augmented_images: predicted again mirrored and shifted, those of lowest confidence.
        no_time: why a check has no images, by its name in the table `not_examined`.
    """

    degradation_images: int = 300
    context_objects: int = 200
    faithfulness_images: int = 80
    choosing_images: int = 24
    mapped_errors: int = 150
    augmented_images: int = 300
    no_time: Mapping[str, str] = field(default_factory=dict)

    def reason(self, check: str) -> str:
        """Why a check has no images."""
        return self.no_time.get(check, NO_TIME)


# The checks that need the model, in the order in which they run. The method of the maps is chosen before the
# background test, which uses it, or after it, where only then there is time for maps.
CheckStep = Literal["ambiguity", "degradation", "choice", "context", "late choice", "maps"]
SizesAt = Callable[[CheckStep], SampleSizes]
