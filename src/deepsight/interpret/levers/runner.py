"""Tries every lever that the sizes pay for, and gathers what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepsight.core.array_types import Bools, Floats32, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import Predict
from deepsight.core.progress import Log, silent
from deepsight.interpret.background.grabcut import segment
from deepsight.interpret.error_analysis.calibration import fit_temperature
from deepsight.interpret.findings import Findings, Refusal, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.background import try_background
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome, Retrain, Retraining
from deepsight.interpret.levers.data_amount import class_gains_table, part_retrainings, try_more_data
from deepsight.interpret.levers.decision import try_class_bias, try_temperature
from deepsight.interpret.levers.error_causes import lever_errors_table, resisting_errors
from deepsight.interpret.levers.examined import choose_examined
from deepsight.interpret.levers.fragility import try_fragility
from deepsight.interpret.levers.image_quality import best_repair, try_repair
from deepsight.interpret.levers.influence import RidgeHead, fit_ridge_head, harmful_rows
from deepsight.interpret.levers.levers_table import levers_table
from deepsight.interpret.levers.placebo import try_resize_and_back
from deepsight.interpret.levers.recipe_changes import (
    RecipeChange,
    capacity_change,
    judge_change,
    length_change,
    resolution_changes,
)
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.training_labels import (
    influence_table,
    judge_left_out,
    label_retrainings,
    leave_out_flagged,
    leave_out_harmful,
)
from deepsight.interpret.levers.variance import bootstrap_retrainings, try_variance

FEWEST_FLAGGED = 5  # flagged training labels from which leaving them out is tried
HARMFUL_SHARE = 0.02  # of the rows at hand, left out by their influence


@dataclass(frozen=True)
class LeverTools:
    """What the levers need of the model's maker; everything arrives as an argument.

    Attributes:
        predict: images to the model's logits.
        retrainer: for the test images at these positions, what trains and gives their logits.
        features: the model's pooled features (r, d) of training rows at these positions.
        train_labels: int64 (n,), of the model's training rows.
        train_ids: int64 (n,).
        flagged: bool (n,), training labels that are flagged as wrong.
        resolution: side of the model's input in pixels.
        deeper: timm name of the next deeper backbone; empty where there is none.
    """

    predict: Predict
    retrainer: Callable[[Ints], Retrain]
    features: Callable[[Ints], Floats32]
    train_labels: Ints
    train_ids: Ints
    flagged: Bools
    resolution: int
    deeper: str = ""


def examine_levers(
    inputs: ExaminationInputs, tools: LeverTools, sizes: LeverSizes, *, log: Log = silent
) -> Findings:
    """The tables `levers`, `lever_errors`, `lever_data` and `influence`, as far as the sizes go.

    Args:
        inputs: the test images, what the model says about them, and validation.
        tools: the model, and what trains another.
        sizes: of the trials.
        log: receives a line for each lever.
    """
    p = inputs.predictions
    examined = choose_examined(p.labels, p.logits, sizes.images, seed=inputs.seed)
    if not examined.wrong.any():
        return Findings.refused("levers", "The model makes no error on these test images.")
    trials = Trials(inputs, tools, sizes, examined, tools.retrainer(examined.rows), log)
    outcomes = trials.outcomes()
    errors = lever_errors_table(outcomes, examined, p.ids[examined.rows], inputs.classes)
    resisting = resisting_errors(errors)
    evidence = Evidence(
        {"levers": levers_table(outcomes, examined, resisting), "lever_errors": errors, **trials.tables}
    )
    return Findings(evidence)


class Trials:
    """The levers on their way: each attempt gives its outcomes, and some leave a table besides."""

    def __init__(
        self, inputs: ExaminationInputs, tools: LeverTools, sizes: LeverSizes, examined: ExaminedImages,
        retrain: Retrain, log: Log,
    ) -> None:  # fmt: skip
        self.inputs, self.tools, self.sizes, self.examined = inputs, tools, sizes, examined
        self._retrain, self._log = retrain, log
        self.pixels = inputs.test.pixels(examined.rows)
        self.tables: dict[str, Table] = {}

    def attempts(self) -> list[Callable[[], Sequence[LeverOutcome]]]:
        """What to try, the cheapest first."""
        found: list[Callable[[], Sequence[LeverOutcome]]] = [self.decision, self.placebo]
        sizes = self.sizes
        found += [self.fragility] if sizes.views else []
        found += [self.variance] if sizes.retrainings else []
        found += [self.labels] if sizes.label_trainings else []
        found += [self.parts] if sizes.parts else []
        found += [self.repair] if sizes.repair_images and self.inputs.validation is not None else []
        found += [self.background] if sizes.objects else []
        return found

    def outcomes(self) -> list[LeverOutcome]:
        """What came of every attempt; one whose own conditions are not met is named in `levers_not_tried`."""
        found: list[LeverOutcome] = []
        refused: list[Refusal] = []
        for attempt in self.attempts():
            try:
                found += attempt()
            except DeepSightError as error:
                refused.append(Refusal(attempt.__name__, str(error)))
                self._log(f"levers: {attempt.__name__} was not tried. {error}")
        if refused:
            self.tables["levers_not_tried"] = not_examined_table(refused)
        return found

    def decision(self) -> Sequence[LeverOutcome]:
        """Class priors and a temperature, both fitted on validation."""
        val = self.inputs.validation
        if val is None:
            return []
        temperature = fit_temperature(val.logits, val.labels)
        return [
            try_class_bias(self.examined, val.logits, val.labels),
            try_temperature(self.examined, temperature),
        ]

    def placebo(self) -> Sequence[LeverOutcome]:
        """A resize and back, which must come to nothing."""
        self._log("levers: placebo")
        return [try_resize_and_back(self.examined, self.pixels, self.tools.predict)]

    def fragility(self) -> Sequence[LeverOutcome]:
        """Jittered copies of every examined image."""
        self._log(f"levers: {self.sizes.views} views of {len(self.examined)} images")
        began = time.perf_counter()
        found = try_fragility(self.examined, self.pixels, self.tools.predict, views=self.sizes.views)
        return [replace(found, seconds=time.perf_counter() - began)]

    def variance(self) -> Sequence[LeverOutcome]:
        """Bootstrap trainings of the last stage."""
        wanted = bootstrap_retrainings(
            len(self.tools.train_labels), self.sizes.retrainings, seed=self.inputs.seed,
            size=self.sizes.retraining_rows,
        )  # fmt: skip
        logits, seconds = self.trained(wanted, "retraining")
        return [try_variance(self.examined, np.stack(logits), seconds=seconds)]

    def labels(self) -> Sequence[LeverOutcome]:
        """The training images behind the errors, and what leaving the suspects out does."""
        began = time.perf_counter()
        rows = self.rows_at_hand()
        labels, seed = self.tools.train_labels, self.inputs.seed
        head = fit_ridge_head(self.tools.features(rows), labels[rows], len(self.inputs.classes))
        p = self.inputs.predictions
        self.tables["influence"] = influence_table(
            self.examined, head, p.features[self.examined.rows], self.tools.train_ids[rows], labels[rows],
            p.ids[self.examined.rows], self.inputs.classes,
        )  # fmt: skip
        flagged = self.tools.flagged & np.isin(np.arange(len(labels)), rows)
        if flagged.sum() >= FEWEST_FLAGGED:
            left_out = leave_out_flagged(labels, flagged, rows, seed=seed)
        else:
            left_out = leave_out_harmful(labels, rows[self.harmful(head, len(rows))], rows, seed=seed)
        if not len(left_out.suspects):
            return []
        arm, control = label_retrainings(rows, left_out, self.sizes.label_trainings, seed=seed)
        without, _ = self.trained(arm, left_out.name)
        with_them, _ = self.trained(control, f"{left_out.name}, control")
        seconds = time.perf_counter() - began
        return [judge_left_out(self.examined, left_out, without, with_them, seconds=seconds)]

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
        """Whole trainings on a part of the rows: more data, and changes of the recipe."""
        labels, seed, share = self.tools.train_labels, self.inputs.seed, self.sizes.part_percent / 100
        wanted = part_retrainings(labels, share, self.sizes.parts, seed=seed)
        own, seconds = self.trained(wanted, f"{share:.0%} of the rows")
        self.tables["lever_data"] = class_gains_table(
            self.examined, own, labels, self.inputs.classes, share=share
        )
        more = try_more_data(self.examined, own, share=share, rows=len(labels), seconds=seconds)
        return [more, *(self.changed(change, wanted[0], own[0]) for change in self.changes())]

    def changes(self) -> list[RecipeChange]:
        """Changes of the recipe, the most telling first, as many as the sizes pay for."""
        up, *down = resolution_changes(self.tools.resolution)
        deeper = [capacity_change(self.tools.deeper)] if self.tools.deeper else []
        return [up, length_change(), *down, *deeper][: self.sizes.changes]

    def changed(self, change: RecipeChange, own: Retraining, control: Reals) -> LeverOutcome:
        """One change of the recipe on the rows of one part."""
        arm, seconds = self.trained([change.retraining(own.rows, own.seed)], change.name)
        return judge_change(self.examined, change, arm, [control], rows=len(own.rows), seconds=seconds)

    def repair(self) -> Sequence[LeverOutcome]:
        """The repair that validation chose."""
        began = time.perf_counter()
        val = self.inputs.others["val"]
        some = np.random.default_rng([self.inputs.seed, 15]).permutation(len(val))[: self.sizes.repair_images]
        name = best_repair(val.pixels(np.sort(some)), val.labels[np.sort(some)], self.tools.predict)
        found = try_repair(self.examined, self.pixels, self.tools.predict, name=name)
        return [replace(found, seconds=time.perf_counter() - began)]

    def background(self) -> Sequence[LeverOutcome]:
        """Other backgrounds for a part of the examined images, half of them errors."""
        began = time.perf_counter()
        wrong = np.flatnonzero(self.examined.wrong)
        right = np.flatnonzero(~self.examined.wrong)
        half = self.sizes.objects // 2
        rng = np.random.default_rng([self.inputs.seed, 16])
        few = [rng.permutation(group)[:half] for group in (wrong, right)]
        shares = [len(group) / max(len(chosen), 1) for group, chosen in zip((wrong, right), few, strict=True)]
        order = np.argsort(np.concatenate(few))
        places = np.concatenate(few)[order]
        scale = np.repeat(shares, [len(chosen) for chosen in few])[order]
        part = self.examined.reweighted(places, scale)
        pixels = self.pixels[places]
        masks = segment(pixels, seed=self.inputs.seed)
        found = try_background(part, pixels, masks, self.tools.predict, seed=self.inputs.seed)
        return [replace(found, seconds=time.perf_counter() - began)]

    def trained(self, wanted: Sequence[Retraining], what: str) -> tuple[list[Reals], float]:
        """The logits of these trainings, and the seconds that they took."""
        began = time.perf_counter()
        logits = []
        for number, each in enumerate(wanted, start=1):
            self._log(f"levers: {what}, training {number} of {len(wanted)}")
            logits.append(self._retrain(each))
        return logits, time.perf_counter() - began
