"""What needs the model itself: its maps, its robustness, and whether it leans on the background."""

from collections.abc import Sequence

import polars as pl

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution import cam
from deepsight.interpret.attribution.error_maps import maps_of_errors
from deepsight.interpret.background.runner import background_of
from deepsight.interpret.faithfulness.runner import faithfulness_of
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.robustness import corruptions


def look_inside(
    inputs: ExaminationInputs, model: OpenModel, evidence: Evidence, sample_sizes: SampleSizes
) -> tuple[Evidence, dict[str, bytes]]:
    """Tables and pictures that only an opened model gives.

    Args:
        inputs: what is examined.
        model: the model.
        evidence: what was found from the predictions.
        effort: sizes of the samples.
    """
    data = inputs.test
    refusals: list[tuple[str, str]] = []
    pictures: dict[str, bytes] = {}
    degraded = corruptions.study(
        data.images, data.labels, inputs.classes, model.logits,
        limit=sample_sizes.degradation_images, seed=inputs.seed,
    )  # fmt: skip
    tables = Evidence({"degradation": degraded, "degradation_summary": corruptions.summary(degraded)})
    try:
        layer = cam.layer_for(model.sides())
        found, pictures = maps_of_errors(inputs, model, layer, evidence)
        trust, not_possible = faithfulness_of(inputs, model, layer, sample_sizes.faithfulness_images)
        tables, refusals = tables.merge(found).add(faithfulness=trust), refusals + not_possible
    except DeepSightError as error:
        refusals.append(("maps", str(error)))
    try:
        found, composites, not_possible = background_of(inputs, model, sample_sizes.context_objects)
        tables, refusals = tables.merge(found), refusals + not_possible
        pictures = pictures | composites
    except DeepSightError as error:
        refusals.append(("context", str(error)))
    return tables.add(not_examined=refused(refusals)), pictures


def refused(refusals: Sequence[tuple[str, str]]) -> Table:
    """The checks that these images or this model do not allow, with the reason: table `not_examined`."""
    return Table(
        frame=pl.DataFrame(refusals, schema={"check": pl.String, "reason": pl.String}, orient="row"),
        units={"check": "name of the check", "reason": "a sentence"},
        n=len(refusals),
        method="A check whose own conditions are not met is refused, not weakened.",
        caption="Checks that could not be made on these images: "
        + f"{', '.join(check for check, _ in refusals) or 'none'}.",
    )
