"""The levers that train: other random seeds, more data, other recipes, labels and backgrounds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.progress import Log
from deepsight.core.run import PICTURES
from deepsight.interpret.background.grabcut import segment_objects
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.background_training import judge_backgrounds, swap_backgrounds
from deepsight.interpret.levers.more_data.class_gains import class_gains_table
from deepsight.interpret.levers.more_data.data_amount import (
    RECIPE,
    judge_unused,
    part_retrainings,
    try_more_data,
    unused_retrainings,
)
from deepsight.interpret.levers.more_data.neighbourhood_gains import neighbourhood_gains_table
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome, Spread
from deepsight.interpret.levers.recipe_changes import (
    RecipeChange,
    capacity_change,
    judge_change,
    length_change,
    resolution_changes,
)
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import HEAD, LAST_STAGE, LeverTools, Retrain, Retraining
from deepsight.interpret.levers.training_images.influence import RidgeHead, fit_ridge_head, harmful_rows
from deepsight.interpret.levers.training_images.influence_table import influence_table, with_pictures
from deepsight.interpret.levers.training_images.training_labels import (
    LeftOut,
    heads_without,
    judge_left_out,
    label_retrainings,
    leave_out_flagged,
    leave_out_harmful,
)
from deepsight.interpret.levers.variance import (
    bootstrap_retrainings,
    ensembles_table,
    times_the_errors,
    try_variance,
)

FEWEST_CHECKS = 2  # retrainings of either side with which they check the exact head
FEWEST_FLAGGED = 5  # flagged training labels with which leaving them out is tried
# Standard deviation of the error rate among whole trainings that differ in the seed, as a share of the rate,
# and the degrees of freedom credited to it: four trainings on 2,000 images of CIFAR-10 at 64 px had 0.04.
WHOLE_SPREAD, WHOLE_FREEDOM = 0.04, 6
FAR = 1.5  # times the model's errors, above which retrainings are not comparable to it
HARMFUL_SHARE = 0.02  # of the rows at hand, left out by their influence

Attempt = Callable[[], Sequence[LeverOutcome]]


class TrainedTrials:
    """The levers that train; some add a table to their outcome."""

    def __init__(
        self, inputs: ExaminationInputs, tools: LeverTools, sizes: LeverSizes, examined: ExaminedImages,
        retrain: Retrain, log: Log,
    ) -> None:  # fmt: skip
        self.inputs, self.tools, self.sizes, self.examined = inputs, tools, sizes, examined
        self._retrain, self._log = retrain, log
        self.tables: dict[str, Table] = {}
        self.pictures: dict[str, bytes] = {}
        error = examined.errors / examined.n
        self.spread = Spread()  # of trainings of the last stage
        self.whole_spread = Spread((WHOLE_SPREAD * error) ** 2, WHOLE_FREEDOM)

    def attempts(self) -> list[Attempt]:
        """What to try, the cheapest first."""
        sizes, tools = self.sizes, self.tools
        found: list[Attempt] = [self.variance] if sizes.retrainings else []
        found += [self.labels] if sizes.label_trainings and tools.features is not None else []
        found += [self.parts] if sizes.parts else []
        found += [self.unused] if sizes.unused_trainings and tools.unused else []
        found += [self.background] if sizes.swap_trainings and "train" in self.inputs.others else []
        return found

    def variance(self) -> Sequence[LeverOutcome]:
        """Bootstrap trainings of the last stage."""
        wanted = bootstrap_retrainings(
            len(self.tools.train_labels), self.sizes.retrainings, seed=self.inputs.seed,
            size=self.sizes.retraining_rows,
        )  # fmt: skip
        logits, seconds = self.trained(wanted, "retraining")
        found = try_variance(self.examined, np.stack(logits), trained=self.tools.trained, seconds=seconds)
        self.tables["lever_ensembles"] = ensembles_table(self.examined, np.stack(logits), found.factor[0])
        self.note_spread(logits)
        worse = times_the_errors(found)
        if worse > FAR:
            self._log(
                f"levers: single retrainings err {worse:.1f} times as often as the model, so the effect of "
                "averaging them says nothing about the model. With more --minutes, they train on more images."
            )
            return []
        return [found]

    def labels(self) -> Sequence[LeverOutcome]:
        """The training images behind the errors, and the effect of leaving out the suspects."""
        assert self.tools.features is not None
        began = time.perf_counter()
        rows = self.rows_at_hand()
        labels, seed = self.tools.train_labels, self.inputs.seed
        head = fit_ridge_head(self.tools.features(rows), labels[rows], len(self.inputs.classes))
        p = self.inputs.predictions
        behind = influence_table(
            self.examined, head, p.features[self.examined.rows], self.tools.train_ids[rows], labels[rows],
            p.ids[self.examined.rows], self.inputs.classes,
        )  # fmt: skip
        if "train" in self.inputs.others:
            behind, sheet = with_pictures(behind, self.inputs.others["train"])
            self.pictures[f"{PICTURES}/influence.webp"] = sheet
        self.tables["influence"] = behind
        if self.tools.flagged.sum() >= FEWEST_FLAGGED:
            left_out = leave_out_flagged(labels, self.tools.flagged, rows, seed=seed)
        else:
            left_out = leave_out_harmful(labels, rows[self.harmful(head, len(rows))], rows, seed=seed)
        if not len(left_out.suspects):
            return []
        arm, control = heads_without(head, p.features[self.examined.rows], rows, left_out, labels, seed=seed)
        seconds = time.perf_counter() - began
        found = judge_left_out(self.examined, left_out, arm, control, trained=HEAD, seconds=seconds)
        return [found, *self.labels_retrained(rows, left_out)]

    def labels_retrained(self, rows: Ints, left_out: LeftOut) -> Sequence[LeverOutcome]:
        """Leaving the suspects out of trainings of the last stage; none unless there are two of each side."""
        count = self.sizes.label_trainings
        if count < FEWEST_CHECKS or self.tools.trained != LAST_STAGE:
            return []
        arm, control = label_retrainings(rows, left_out, count, seed=self.inputs.seed)
        without, first = self.trained(arm, left_out.name)
        with_them, second = self.trained(control, f"{left_out.name}, control")
        found = judge_left_out(self.examined, left_out, without, with_them, seconds=first + second)
        return [self.with_spread(found, without, with_them)]

    def harmful(self, head: RidgeHead, rows: int) -> Ints:
        """Positions, among the head's rows, of those that harm validation most."""
        val = self.inputs.validation
        if val is None or not val.features.size:
            return np.empty(0, dtype=np.int64)
        return harmful_rows(head, val.features, val.labels, max(1, round(HARMFUL_SHARE * rows)))

    def rows_at_hand(self) -> Ints:
        """Training rows for the study of labels: the flagged ones first, then others at random."""
        n = len(self.tools.train_labels)
        order = np.random.default_rng([self.inputs.seed, 14]).permutation(n)
        order = order[np.argsort(~self.tools.flagged[order], kind="stable")]
        return np.sort(order[: self.sizes.retraining_rows]).astype(np.int64)

    def parts(self) -> Sequence[LeverOutcome]:
        """Trainings on a part of the rows: more data, and changes of the recipe."""
        labels, seed, share = self.tools.train_labels, self.inputs.seed, self.sizes.part_percent / 100
        wanted = part_retrainings(labels, share, self.sizes.parts, seed=seed)
        own, seconds = self.trained(wanted, f"{share:.0%} of the rows")
        examined, classes, p = self.examined, self.inputs.classes, self.inputs.predictions
        whole = self.on_all_rows()
        self.tables["lever_data"] = class_gains_table(
            examined, own, labels, classes, share=share, whole=whole
        )
        if p.features.size:
            self.tables["lever_neighbourhoods"] = neighbourhood_gains_table(
                examined, own, p.features[examined.rows], p.ids[examined.rows], classes,
                share=share, whole=whole,
            )  # fmt: skip
        more = try_more_data(
            examined, own, share=share, rows=len(labels), whole=whole, seconds=seconds,
            trained=RECIPE if whole is None else self.tools.trained,
        )  # fmt: skip
        more = replace(more, spread=self.whole_spread)
        return [more, *(self.changed(change, wanted[0], own[0]) for change in self.changes())]

    def on_all_rows(self) -> Reals | None:
        """The logits of a training on all rows, where trainings are not the model's own recipe."""
        if self.tools.trained == LAST_STAGE:
            return None
        everything = Retraining(np.arange(len(self.tools.train_labels)), self.inputs.seed)
        return self.trained([everything], "all rows")[0][0]

    def changes(self) -> list[RecipeChange]:
        """Changes of the recipe, the most informative first, as many as the sizes allow; then some in equal
        time."""
        if not self.tools.resolution:
            return []
        up, *down = resolution_changes(self.tools.resolution)
        deeper = (
            [capacity_change(self.tools.deeper, cost=self.tools.deeper_cost)] if self.tools.deeper else []
        )
        found = [up, length_change(), *down, *deeper, length_change(times=0.5)][: self.sizes.changes]
        dearer = [change for change in found if change.cost != 1]
        return found + [change.in_equal_time() for change in dearer[: self.sizes.equal_time]]

    def changed(self, change: RecipeChange, own: Retraining, control: Reals) -> LeverOutcome:
        """One change of the recipe on the rows of one part."""
        arm, seconds = self.trained([change.retraining(own.rows, own.seed)], change.name)
        found = judge_change(
            self.examined, change, arm, [control], rows=len(own.rows),
            share=self.sizes.part_percent / 100, seconds=seconds,
        )  # fmt: skip
        return replace(found, spread=self.whole_spread)

    def unused(self) -> Sequence[LeverOutcome]:
        """Trainings with the rows that the plan left unused."""
        rows = len(self.tools.train_labels)
        arm, control = unused_retrainings(
            rows, self.tools.unused, self.sizes.unused_trainings, seed=self.inputs.seed
        )
        with_them, first = self.trained(arm, "with unused images")
        without, second = self.trained(control, "with unused images, control")
        more = len(arm[0].rows) - rows
        found = judge_unused(self.examined, with_them, without, rows=rows, more=more, seconds=first + second)
        return [replace(found, spread=self.whole_spread)]

    def background(self) -> Sequence[LeverOutcome]:
        """Objects of training images on other backgrounds, and the recipe trained on them."""
        began = time.perf_counter()
        train, seed = self.inputs.others["train"], self.inputs.seed
        order = np.random.default_rng([seed, 19]).permutation(len(train))
        rows = np.sort(order[: self.sizes.swap_rows]).astype(np.int64)
        pixels = train.pixels(rows)
        swapped = swap_backgrounds(
            pixels, train.labels[rows], segment_objects(pixels, seed=seed), rows, seed=seed
        )
        arm, control = swapped.retrainings(self.sizes.swap_trainings, seed=seed)
        mixed, _ = self.trained(arm, "other backgrounds")
        matched, _ = self.trained(control, "other backgrounds, control")
        seconds = time.perf_counter() - began
        found = judge_backgrounds(self.examined, swapped, mixed, matched, seconds=seconds)
        return [replace(found, spread=self.whole_spread)]

    def with_spread(self, found: LeverOutcome, *replicates: Sequence[Reals]) -> LeverOutcome:
        """An outcome that borrows the spread of earlier trainings; its own serves those that follow."""
        borrowing = replace(found, spread=self.spread)
        for logits in replicates:
            self.note_spread(logits)
        return borrowing

    def note_spread(self, logits: Sequence[Reals]) -> None:
        """Update the spread with replicates that differ by chance alone."""
        right = self.examined.right(np.stack(logits))
        self.spread = self.spread.joined(right, self.examined.weights)

    def trained(self, wanted: Sequence[Retraining], what: str) -> tuple[list[Reals], float]:
        """The logits of these trainings, and the seconds that they took."""
        began = time.perf_counter()
        logits = []
        for number, each in enumerate(wanted, start=1):
            self._log(f"levers: {what}, training {number} of {len(wanted)}")
            logits.append(self._retrain(each))
        return logits, time.perf_counter() - began
