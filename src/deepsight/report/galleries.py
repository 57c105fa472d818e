"""The data of the image galleries, which the page's scripts draw."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.evidence import maps_refusal
from deepsight.images.contact_sheet import ACROSS
from deepsight.interpret.error_analysis.misclassified import suspected_labels
from deepsight.report.embedded_images import Pictures, png_address
from deepsight.report.image_lists import image_lists
from deepsight.report.run_data import RunData
from deepsight.scrub.duplicates.pictures import shown_pairs

Data = dict[str, Any]
LEDGER = ("cause", "support", "because", "causes", "evidence")
SHOWN = ("index", "true", "predicted", "confidence")


def error_gallery(study: RunData, pictures: Pictures) -> Data | None:
    """The errors with their causes and maps, in the order of their tiles on the sheet."""
    table = study.table("errors", *SHOWN)
    if table is None:
        return None
    sheet = pictures.sheet("errors")
    training = pictures.sheet("influence")
    behind = influence_by_row(study) if training else {}
    extra = (ledger_by_row(study), suggested_labels(study), map_pictures(study, pictures), behind)
    records = []
    named = [name for name in ("file",) if name in table.frame.columns]  # only if images have names
    for row in table.frame.select(*SHOWN, *named).to_dicts():
        record = {"split": "test", **row, "given": row["true"], "confidence": round(row["confidence"], 4)}
        for known in extra:
            record |= known.get(row["index"], {})
        records.append(record)
    return {**sheet_records(records, sheet), "training": {"sheet": training, "across": ACROSS}}


def ledger_by_row(study: RunData) -> dict[int, Data]:
    """Cause, support and reason of each error, by test row."""
    rows = study.rows("ledger")
    return {row["index"]: {name: row[name] for name in LEDGER if name in row} for row in rows}


def influence_by_row(study: RunData) -> dict[int, Data]:
    """The most influential training images of each error, and whether leaving them out fixes it."""
    table = study.table("influence", "index", "train_index", "train_label", "mended", "tile")
    found: dict[int, Data] = {}
    for row in [] if table is None else table.frame.drop_nulls("tile").to_dicts():
        known = found.setdefault(row["index"], {"behind": [], "mended": row["mended"]})
        known["behind"].append(
            {"tile": row["tile"], "index": row["train_index"], "label": row["train_label"]}
        )
    return found


def suggested_labels(study: RunData) -> dict[int, Data]:
    """The label suggested for each flagged test row."""
    table = study.table("label_errors")
    if table is None:
        return {}
    rows = table.frame.filter(pl.col("flagged"), split="test").select("index", "suggested").rows()
    return {index: {"suggested": name} for index, name in rows}


def map_pictures(study: RunData, pictures: Pictures) -> dict[int, Data]:
    """The picture with the maps of each error, by test row; empty if the maps failed a check."""
    if maps_refusal(study.evidence):
        return {}
    rows = [row for row in study.rows("attribution") if row["split"] == "test"]
    return {row["index"]: {"map": row["file"]} for row in rows if pictures.take(row["file"])}


def duplicate_gallery(study: RunData, pictures: Pictures) -> Data | None:
    """Pairs of near-duplicates, three tiles each: the first image, the second, and their difference."""
    table = study.table("duplicates", "flagged", "cluster")
    if table is None:
        return None
    pairs = shown_pairs(table.frame)
    for end in "ab":  # the label of each image, which the reader may change
        given = study.given.rename(
            {"split": f"split_{end}", "index": f"index_{end}", "class": f"given_{end}"}
        )
        pairs = pairs.join(given, on=[f"split_{end}", f"index_{end}"], how="left", maintain_order="left")
    return sheet_records(pairs.to_dicts(), pictures.sheet("duplicates"))


def outlier_gallery(study: RunData, pictures: Pictures) -> Data | None:
    """The images farthest from the training images, in the order of their tiles."""
    table = study.table("outliers", "split", "index", "given", "score")
    return None if table is None else sheet_records(table.frame.to_dicts(), pictures.sheet("outliers"))


def label_error_gallery(study: RunData, pictures: Pictures) -> Data | None:
    """The labels most likely to be wrong, for the reader's decisions."""
    table = study.table("label_errors")
    return (
        None
        if table is None
        else sheet_records(suspected_labels(table.frame).to_dicts(), pictures.sheet("label_errors"))
    )


def sheet_records(rows: Iterable[Data], sheet: str | None) -> Data:
    """Rows together with the sheet that holds their tiles."""
    return {"sheet": sheet, "across": ACROSS, "records": list(rows)}


def map_gallery(study: RunData, pictures: Pictures) -> list[Data]:
    """The rows of the attribution table whose pictures fit into the report; none if maps failed a check."""
    if maps_refusal(study.evidence):
        return []
    kept = ("split", "index", "true", "predicted", "layer", "object_share", "file")
    more = ("object_area", "peak_inside", "mirror_agreement", "image_file")  # not in every run
    return [
        {name: row.get(name) for name in (*kept, *more)}
        for row in study.rows("attribution")
        if pictures.take(row["file"])
    ]


def ambiguous_errors(study: RunData, *, limit: int = 16) -> list[int]:
    """Test rows of the errors with the highest ambiguity scores."""
    errors, doubts = study.table("errors"), study.table("ambiguity")
    if errors is None or doubts is None:
        return []
    wrong = doubts.frame.filter(split="test").join(errors.frame.select("index"), on="index", how="semi")
    return [int(row) for row in wrong.sort("score", descending=True).head(limit)["index"]]


def illustrations(study: RunData, pictures: Pictures) -> dict[str, list[Data]]:
    """Further pictures by finding: rows (file, caption) of the table `<finding>_pictures`."""
    ending = "_pictures"
    found = {}
    for name in (name for name in study.evidence if name.endswith(ending)):
        rows = [row for row in study.rows(name, "file", "caption") if pictures.take(row["file"])]
        found[name.removesuffix(ending)] = rows
    return found


def class_looks(study: RunData) -> list[Data]:
    """The mean image of each class, with its row of the appearance table if there is one."""
    table = study.table("mean_images", "class", "row", "column", "r", "g", "b")
    known = {row["class"]: row for row in study.rows("appearance")}
    if table is None:
        return []
    parts = table.frame.partition_by("class", maintain_order=True)
    return [
        {**known.get(part["class"][0], {}), "class": part["class"][0], "address": mean_image_address(part)}
        for part in parts
    ]


def mean_image_address(part: pl.DataFrame) -> str:
    """The mean image of one class as a data address."""
    ordered = part.sort("row", "column")
    width = int(ordered["column"].n_unique())
    return png_address(ordered.select("r", "g", "b").to_numpy().astype(np.uint8).reshape(-1, width, 3))


def gallery_data(study: RunData, pictures: Pictures) -> Data:
    """The data of all galleries. Errors come first, so that they are the last to be left out for size."""
    listed = {
        "run": study.name,
        "digest": study.digest,
        "classes": study.classes,
        "errors": error_gallery(study, pictures),
        "labels": label_error_gallery(study, pictures),
        "duplicates": duplicate_gallery(study, pictures),
        "outliers": outlier_gallery(study, pictures),
        "maps": map_gallery(study, pictures),
        "lists": image_lists(study, pictures),
    }
    return {**listed, "pictures": pictures.addresses}
