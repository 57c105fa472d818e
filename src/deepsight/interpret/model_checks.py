"""The checks that need the model itself: corruption robustness, attribution maps, background reliance."""

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import AskedModel
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.error_maps import map_errors
from deepsight.interpret.background.runner import examine_background
from deepsight.interpret.faithfulness.choice import Choice, choose_attributor
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.findings import NO_TIME, Findings, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.robustness import corruptions


def look_inside(
    inputs: ExaminationInputs, model: AskedModel, evidence: Evidence, sample_sizes: SampleSizes
) -> Findings:
    """The tables and pictures that need the model itself.

    Args:
        inputs: what is examined.
        model: the model.
        evidence: the tables from the predictions; its confused pairs name the errors to map.
        sample_sizes: how many images the costly checks look at.
    """
    found = Findings(refusals=tuple(inputs.refusals))
    found = found.merge(examine_robustness(inputs, model, sample_sizes.degradation_images))
    chosen = choose_attributor(inputs, model, sample_sizes.choosing_images)
    found = found.merge(chosen.findings)
    found = found.merge(examine_maps(inputs, model, chosen, evidence, sample_sizes))
    found = found.merge(background_findings(inputs, model, chosen.attributor, sample_sizes.context_objects))
    return found.merge(Findings(Evidence({"not_examined": not_examined_table(found.refusals)})))


def examine_robustness(inputs: ExaminationInputs, model: AskedModel, images: int) -> Findings:
    """The tables `degradation` and `degradation_summary`, on at most this many images."""
    if not images:
        return Findings.refused("degradation", NO_TIME)
    data = inputs.test
    table = corruptions.corruption_robustness(
        data.images, data.labels, inputs.classes, model.logits, limit=images, seed=inputs.seed
    )
    summary = corruptions.corruption_summary(table)
    return Findings(Evidence({"degradation": table, "degradation_summary": summary}))


def examine_maps(
    inputs: ExaminationInputs,
    model: AskedModel,
    chosen: Choice,
    evidence: Evidence,
    sample_sizes: SampleSizes,
) -> Findings:
    """Checks of the maps' faithfulness and maps of the errors, or the reasons why they were not made.

    The checks need no errors; maps are made only after the checks.
    """
    if chosen.attributor is None:
        return Findings()
    if not sample_sizes.faithfulness_images:
        return Findings.refused("maps", NO_TIME)
    try:
        found = check_faithfulness(
            inputs, chosen.attributor, model.logits, sample_sizes.faithfulness_images, apart=chosen.rows
        )
    except DeepSightError as error:
        return Findings.refused("maps", error)
    try:
        mapped = map_errors(inputs, chosen.attributor, evidence, most=sample_sizes.mapped_errors)
    except DeepSightError as error:
        mapped = Findings.refused("attribution", error)
    return mapped.merge(found)


def background_findings(
    inputs: ExaminationInputs, model: AskedModel, attributor: Attributor | None, objects: int
) -> Findings:
    """Reliance on the background, or the reason why it was not examined."""
    if not objects:
        return Findings.refused("context", NO_TIME)
    try:
        return examine_background(inputs, model, attributor, objects)
    except DeepSightError as error:
        return Findings.refused("context", error)
