"""Prescribes treatments that correspond to levers which were shown to help."""

import polars as pl

from deepsight.core.evidence import Table

UNITS = {
    "cause": "lever",
    "share": "net share of the test errors that the lever fixes",
    "treatment": "name of a treatment",
    "gain_at_most": "accuracy that the lever gained",
    "because": "the reason",
}
SCHEMA = {name: pl.Float64 if name in {"share", "gain_at_most"} else pl.String for name in UNITS}
METHOD = (
    "Levers that were shown to help, the largest net share first; a trial confirms them with more seeds. "
    "Nothing else is prescribed."
)


def prescription_table(levers: Table | None) -> Table:
    """Which treatments to try, the largest measured gain first: evidence table `prescription`.

    A treatment is listed if its lever was tried on this model and shown to help; a cause alone never
    prescribes a treatment.

    Args:
        levers: the evidence table `levers`, or None if none was tried; then nothing is prescribed.
    """
    if levers is None:
        caption = (
            "Nothing is prescribed, since no lever was tried. Run `deepsight levers` first, or name "
            "the treatments to try."
        )
        return Table(pl.DataFrame(schema=SCHEMA), UNITS, 0, METHOD, caption)
    helping = levers.frame.filter((pl.col("verdict") == "helps") & (pl.col("treatment") != ""))
    frame = helping.sort("net", descending=True, maintain_order=True).select(
        pl.col("name").alias("cause"),
        pl.col("net").alias("share"),
        "treatment",
        pl.col("points").alias("gain_at_most"),
        pl.format("the lever was tried: {} against {}", "arm", "control").alias("because"),
    )
    names = ", ".join(frame["treatment"].unique(maintain_order=True))
    said = (
        f"Shown to help when tried against a control: {names}. Their order is not tested."
        if names
        else "No lever with a treatment was shown to help against its control."
    )
    return Table(frame, UNITS, levers.n, METHOD, said)
