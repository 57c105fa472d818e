"""Tries every lever that the sizes allow, and collects the outcomes."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.progress import Log, silent
from deepsight.interpret.background.grabcut import segment_objects
from deepsight.interpret.error_analysis.calibration import calibrating_temperature
from deepsight.interpret.findings import Findings, Refusal, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.background import try_background
from deepsight.interpret.levers.decision_rule import try_class_bias, try_temperature
from deepsight.interpret.levers.error_causes import lever_errors_table, resisting_errors
from deepsight.interpret.levers.examined import choose_examined
from deepsight.interpret.levers.fragility import try_fragility
from deepsight.interpret.levers.image_quality import best_repair, restoring_repair, try_repair
from deepsight.interpret.levers.levers_table import levers_table
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.placebo import try_resize
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import LeverTools
from deepsight.interpret.levers.trained_trials import Attempt, TrainedTrials
from deepsight.interpret.levers.training_images.influence_table import with_influence

USUAL = 500  # validation images that serve as the usual look


def examine_levers(
    inputs: ExaminationInputs, tools: LeverTools, sizes: LeverSizes, *, log: Log = silent
) -> Findings:
    """Try the levers: tables `levers` and `lever_errors`, and others as far as sizes and tools allow.

    Those are `lever_data`, `lever_neighbourhoods`, `lever_ensembles`, `influence` and `levers_not_tried`. A
    model without errors is refused.

    Args:
        inputs: the test images with the model's predictions, and validation.
        tools: the model, and a way to train others.
        sizes: of the trials.
        log: receives a line for each lever.
    """
    p = inputs.predictions
    examined = choose_examined(p.labels, p.logits, sizes.images, seed=inputs.seed)
    if not examined.wrong.any():
        return Findings.refused("levers", "The model makes no error on these test images.")
    trials = LeverTrials(inputs, tools, sizes, examined, log)
    outcomes = trials.outcomes()
    errors = lever_errors_table(outcomes, examined, p.ids[examined.rows], inputs.classes)
    if "influence" in trials.tables:
        errors = with_influence(errors, trials.tables["influence"])
    resisting = resisting_errors(errors)
    evidence = Evidence(
        {"levers": levers_table(outcomes, examined, resisting), "lever_errors": errors, **trials.tables}
    )
    return Findings(evidence, {} if trials.training is None else trials.training.pictures)


class LeverTrials:
    """The trials of one examination: levers that train nothing, and those that do where possible."""

    def __init__(
        self, inputs: ExaminationInputs, tools: LeverTools, sizes: LeverSizes, examined: ExaminedImages,
        log: Log,
    ) -> None:  # fmt: skip
        self.inputs, self.tools, self.sizes, self.examined = inputs, tools, sizes, examined
        self._log = log
        self.pixels = inputs.test.pixels(examined.rows)
        self.training = (
            None
            if tools.retrainer is None
            else TrainedTrials(inputs, tools, sizes, examined, tools.retrainer(examined.rows), log)
        )
        self.tables: dict[str, Table] = {} if self.training is None else self.training.tables

    def attempts(self) -> list[Attempt]:
        """What to try, the cheapest first."""
        found: list[Attempt] = [self.decision, self.placebo]
        sizes = self.sizes
        found += [self.fragility] if sizes.views else []
        found += [self.repair] if sizes.repair_images and self.inputs.others else []
        found += [] if self.training is None else self.training.attempts()
        found += [self.background] if sizes.objects else []
        return found

    def outcomes(self) -> list[LeverOutcome]:
        """The outcome of every attempt; those whose conditions are not met are in `levers_not_tried`."""
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
        temperature = calibrating_temperature(val.logits, val.labels)
        return [
            try_class_bias(self.examined, val.logits, val.labels),
            try_temperature(self.examined, temperature),
        ]

    def placebo(self) -> Sequence[LeverOutcome]:
        """A resize without an effect."""
        self._log("levers: placebo")
        tools = self.tools
        return [try_resize(self.examined, self.pixels, tools.predict, enlarge=tools.enlarge)]

    def fragility(self) -> Sequence[LeverOutcome]:
        """Jittered copies of every examined image."""
        self._log(f"levers: {self.sizes.views} views of {len(self.examined)} images")
        began = time.perf_counter()
        found = try_fragility(self.examined, self.pixels, self.tools.predict, views=self.sizes.views)
        return [replace(found, seconds=time.perf_counter() - began)]

    def repair(self) -> Sequence[LeverOutcome]:
        """The repair that restores the usual look; where there is none, the one that validation chose."""
        began = time.perf_counter()
        others = self.inputs.others
        known = others["val"] if "val" in others else others["train"]
        order = np.random.default_rng([self.inputs.seed, 15]).permutation(len(known))
        usual = known.pixels(np.sort(order[:USUAL]))
        name, chosen = restoring_repair(self.pixels, usual), "the repair that makes them look as usual"
        if not name:
            some = np.sort(order[: self.sizes.repair_images])
            name = best_repair(known.pixels(some), known.labels[some], self.tools.predict)
            chosen = f"the repair that {'validation' if 'val' in others else 'training images'} chose"
        found = try_repair(self.examined, self.pixels, self.tools.predict, name=name, chosen=chosen)
        return [replace(found, seconds=time.perf_counter() - began)]

    def background(self) -> Sequence[LeverOutcome]:
        """Other backgrounds for a part of the examined images, half of them errors where enough exist."""
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
        masks = segment_objects(pixels, seed=self.inputs.seed)
        found = try_background(part, pixels, masks, self.tools.predict, seed=self.inputs.seed)
        return [replace(found, seconds=time.perf_counter() - began)]
