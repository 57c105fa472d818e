"""The files of a data set: which cannot be read, and what their names and headers reveal about the class."""

from pathlib import Path

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.explore.shortcuts import file_attributes, misnamed_table, shortcuts_table
from deepsight.interpret.findings import Findings
from deepsight.obtain.decoding.headers import image_headers
from deepsight.obtain.local_file import found_path
from deepsight.workflows.audit.audited_data import AuditedData


def unreadable_table(data: AuditedData) -> Table:
    """Evidence table `unreadable`: files that could not be read, and files that were passed over."""
    rows = [
        {"file": item["file"], "reason": item["reason"], "n": 1, "kind": "unreadable"}
        for item in data.record.get("quarantined", [])
    ]
    rows += [
        {"file": item["first"], "reason": item["what"], "n": item["n"], "kind": "passed over"}
        for item in data.record.get("passed_over", [])
    ]
    frame = pl.DataFrame(
        rows, schema={"file": pl.String, "reason": pl.String, "n": pl.Int64, "kind": pl.String}
    )
    unread = frame.filter(kind="unreadable")
    listed = len(data) + len(unread)
    return Table(
        frame,
        {
            "file": "file, or the first of several",
            "reason": "why it is not used",
            "n": "files",
            "kind": "unreadable or passed over",
        },
        listed,
        "Every file is decoded as a whole; what raises an error is set aside.",
        f"{len(unread):,} of {listed:,} files cannot be read.",
    )


def headers_of(data: AuditedData) -> pl.DataFrame | None:
    """The headers of the image files, one row per image; None if the images are not local files."""
    files = data.files
    if data.base is None or files is None:
        return None
    base = data.base
    headers = image_headers([Path("") if "://" in name else found_path(base, name) for name in files])
    return headers if headers["width"].count() else None


def leak_findings(data: AuditedData, headers: pl.DataFrame | None, *, seed: int) -> Findings:
    """Attributes of the files that predict the class, and files that are named after another class."""
    if not data.labelled:
        return Findings.refused("shortcuts", "The images have no labels.")
    attributes = file_attributes(data.files, headers, data.classes)
    if not attributes.width:
        return Findings.refused("shortcuts", "The images are arrays, so there are no attributes of files.")
    tables = {"shortcuts": shortcuts_table(attributes, data.labels, data.classes, seed=seed)}
    if data.files is not None:
        tables["misnamed"] = misnamed_table(data.files, data.keys, data.labels, data.classes)
    return Findings(Evidence(tables))
