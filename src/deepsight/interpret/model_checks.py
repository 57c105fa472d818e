"""The checks that need the model itself: corruption robustness, attribution maps, background reliance."""

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import AskedModel, OpenModel
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.error_maps import map_errors
from deepsight.interpret.background.runner import examine_background
from deepsight.interpret.faithfulness.choice import Choice, choose_attributor
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.findings import Findings, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes, SizesAt
from deepsight.interpret.robustness import corruptions


def look_inside(
    inputs: ExaminationInputs, model: AskedModel, evidence: Evidence, sizes_at: SizesAt
) -> Findings:
    """The tables and pictures that need the model itself.

    Args:
        inputs: what is examined.
        model: the model.
        evidence: the tables from the predictions; its confused pairs name the errors to map.
        sizes_at: how many images the checks look at, asked before each: what one of them leaves of its time
            may go to the next.
    """
    found = Findings(refusals=tuple(inputs.refusals))
    found = found.merge(examine_robustness(inputs, model, sizes_at("degradation")))
    chosen = chosen_maps(inputs, model, sizes_at("choice"))
    attributor = None if chosen is None else chosen.attributor
    found = found.merge(background_findings(inputs, model, attributor, sizes_at("context")))
    chosen = chosen or chosen_maps(inputs, model, sizes_at("late choice"))
    found = found.merge(examine_maps(inputs, model, chosen, evidence, sizes_at("maps")))
    return found.merge(Findings(Evidence({"not_examined": not_examined_table(found.refusals)})))


def examine_robustness(inputs: ExaminationInputs, model: AskedModel, sizes: SampleSizes) -> Findings:
    """The tables `degradation` and `degradation_summary`."""
    if not sizes.degradation_images:
        return Findings.refused("degradation", sizes.reason("degradation"))
    data = inputs.test
    table = corruptions.corruption_robustness(
        data.images, data.labels, inputs.classes, model.logits, limit=sizes.degradation_images,
        seed=inputs.seed,
    )  # fmt: skip
    summary = corruptions.corruption_summary(table)
    return Findings(Evidence({"degradation": table, "degradation_summary": summary}))


def chosen_maps(inputs: ExaminationInputs, model: AskedModel, sizes: SampleSizes) -> Choice | None:
    """The method of the maps; None where there is no time for maps, and it cannot be had without trying."""
    if not sizes.faithfulness_images and not isinstance(model, OpenModel):
        return None
    return choose_attributor(inputs, model, sizes.choosing_images)


def examine_maps(
    inputs: ExaminationInputs, model: AskedModel, chosen: Choice | None, evidence: Evidence,
    sizes: SampleSizes,
) -> Findings:  # fmt: skip
    """Checks of the maps' faithfulness and maps of the errors, or the reasons why they were not made.

    The checks need no errors; maps are made only after the checks.
    """
    if chosen is not None and chosen.attributor is None:
        return chosen.findings
    if chosen is None or chosen.attributor is None or not sizes.faithfulness_images:
        return Findings.refused("maps", sizes.reason("maps"))
    try:
        found = check_faithfulness(
            inputs, chosen.attributor, model.logits, sizes.faithfulness_images, apart=chosen.rows
        )
    except DeepSightError as error:
        return chosen.findings.merge(Findings.refused("maps", error))
    try:
        mapped = map_errors(inputs, chosen.attributor, evidence, most=sizes.mapped_errors)
    except DeepSightError as error:
        mapped = Findings.refused("attribution", error)
    return chosen.findings.merge(mapped).merge(found)


def background_findings(
    inputs: ExaminationInputs, model: AskedModel, attributor: Attributor | None, sizes: SampleSizes
) -> Findings:
    """Reliance on the background, or the reason why it was not examined."""
    if not sizes.context_objects:
        return Findings.refused("context", sizes.reason("context"))
    try:
        return examine_background(inputs, model, attributor, sizes.context_objects)
    except DeepSightError as error:
        return Findings.refused("context", error)
