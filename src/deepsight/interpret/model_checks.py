"""The checks that need the model itself: corruption robustness, attribution maps, reliance on background."""

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import AskedModel
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.error_maps import map_errors
from deepsight.interpret.background.runner import examine_background
from deepsight.interpret.faithfulness.choice import choose_attributor
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.findings import Findings, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.robustness import corruptions


def look_inside(
    inputs: ExaminationInputs, model: AskedModel, evidence: Evidence, sample_sizes: SampleSizes
) -> Findings:
    """The tables and pictures that need the model itself.

    Args:
        inputs: what is examined.
        model: the model.
        evidence: what was found from the predictions; errors to map come from its confused pairs.
        sample_sizes: how many images the costly checks look at.
    """
    found = examine_robustness(inputs, model, sample_sizes.degradation_images)
    chosen = choose_attributor(inputs, model)
    found = found.merge(chosen.findings)
    found = found.merge(examine_maps(inputs, model, chosen.attributor, evidence, sample_sizes))
    try:
        background = examine_background(inputs, model, chosen.attributor, sample_sizes.context_objects)
        found = found.merge(background)
    except DeepSightError as error:
        found = found.merge(Findings.refused("context", error))
    return found.merge(Findings(Evidence({"not_examined": not_examined_table(found.refusals)})))


def examine_robustness(inputs: ExaminationInputs, model: AskedModel, images: int) -> Findings:
    """The tables `degradation` and `degradation_summary`, on at most this many images."""
    data = inputs.test
    table = corruptions.corruption_robustness(
        data.images, data.labels, inputs.classes, model.logits, limit=images, seed=inputs.seed
    )
    summary = corruptions.corruption_summary(table)
    return Findings(Evidence({"degradation": table, "degradation_summary": summary}))


def examine_maps(
    inputs: ExaminationInputs,
    model: AskedModel,
    attributor: Attributor | None,
    evidence: Evidence,
    sample_sizes: SampleSizes,
) -> Findings:
    """Maps of the errors and the checks of their faithfulness, or the reason why there are none."""
    if attributor is None:
        return Findings()
    try:
        mapped = map_errors(inputs, attributor, evidence)
        images = sample_sizes.faithfulness_images
        return mapped.merge(check_faithfulness(inputs, attributor, model.logits, images))
    except DeepSightError as error:
        return Findings.refused("maps", error)
