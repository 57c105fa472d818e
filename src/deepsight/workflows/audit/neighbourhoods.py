"""Outliers and suspected label errors by the features of a pretrained backbone, and suggested groups."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.progress import Log
from deepsight.explore.isolated_images import isolated_images_table
from deepsight.interpret.findings import Findings
from deepsight.interpret.labels.knn import nearest_neighbours
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_sources import (
    ExaminedSplit,
    LabelSources,
    affordable_part,
    gather_label_sources,
)
from deepsight.scrub.suggested_groups import SuggestedGroups, suggest_groups
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.audit.passes import AuditPasses

NEIGHBOURS = 10
FEWEST = 50  # images; with fewer neither outliers nor label errors can be found


def neighbourhood_findings(data: AuditedData, study: StudyConfig, passes: AuditPasses) -> Findings:
    """Outliers and suspected label errors; refused without the backbone's weights or with too few images."""
    if len(data) < FEWEST:
        return refused(f"Fewer than {FEWEST} images are too few to show outliers or wrong labels.")
    try:
        features = passes.features(data, study)
    except DeepSightError as error:
        return refused(str(error))
    near = nearest_neighbours(features, count=NEIGHBOURS, seed=study.seed)
    found = Findings(Evidence({"isolated_images": isolated_images_table(near.cosine, data.keys)}))
    if not data.labelled:
        return found.merge(Findings.refused("label_errors", "The images have no labels."))
    sources = label_sources(data, features, seed=study.seed, log=passes.log)
    return found.merge(Findings(Evidence(label_error_tables(sources, data.classes))))


def label_sources(data: AuditedData, features: np.ndarray, *, seed: int, log: Log) -> dict[str, LabelSources]:
    """The judgements of neighbours and of an out-of-fold head about the labels of each split.

    All splits are judged together as one part, so that the features (n, d) stay on disk instead of being
    joined in memory. If images times classes are very many, a random sample of images is examined.
    """
    everything = ExaminedSplit(
        np.arange(len(data)), data.labels, None, features, "frozen", groups=data.groups
    )
    whole = affordable_part(everything, len(data.classes), seed=seed)
    if len(whole.ids) < len(data):
        log(f"Examines the labels of {len(whole.ids):,} of {len(data):,} images, drawn at random.")
    said = gather_label_sources({"all": whole}, len(data.classes), seed=seed)["all"].distributions
    found, start = {}, 0
    for name, part in data.parts.items():
        here = (whole.ids >= start) & (whole.ids < start + len(part))
        rows = whole.ids[here] - start
        if len(rows):
            among = {source: values[here] for source, values in said.items()}
            found[name] = LabelSources(part.ids[rows], part.labels[rows], among)
        start += len(part)
    return found


def refused(reason: str) -> Findings:
    """Refusals of the findings that need features."""
    return Findings.refused("isolated_images", reason).merge(Findings.refused("label_errors", reason))


def group_findings(data: AuditedData) -> Findings:
    """Groups of images that file names or exposure times suggest, and which of them span several splits."""
    parts = data.parts
    times = [data.taken.get(name, np.full(len(part), np.nan)) for name, part in parts.items()]
    found = suggest_groups(list(parts.values()), times)
    if found is None:
        return Findings.refused(
            "suggested_groups", "Neither file names nor exposure times put similar images in a sequence."
        )
    return Findings(Evidence({"suggested_groups": suggested_groups_table(found, parts)}))


def suggested_groups_table(found: SuggestedGroups, parts: Mapping[str, Dataset]) -> Table:
    """Evidence table `suggested_groups`: one row per group of three or more, those across splits first.

    Args:
        found: the groups of all images, split after split.
        parts: the images by split.
    """
    names = [part.ids if part.files is None else part.files for part in parts.values()]
    files = np.concatenate([np.asarray(name, dtype=str) for name in names])
    classes = next(iter(parts.values())).classes
    labels = np.concatenate([part.labels for part in parts.values()])
    frame = pl.DataFrame(
        {
            "group": found.groups,
            "split": [name for name, part in parts.items() for _ in range(len(part))],
            "class": [classes[label] for label in labels],
            "file": files,
        }
    )
    groups = (
        frame.group_by("group", maintain_order=True)
        .agg(
            n=pl.len(), first=pl.col("file").first(), last=pl.col("file").last(),
            splits=pl.col("split").unique(maintain_order=True),
            classes=pl.col("class").unique(maintain_order=True),
        )
        .filter(pl.col("n") >= 3)
        .sort(pl.col("splits").list.len(), "n", descending=True)
    )  # fmt: skip
    across = groups.filter(pl.col("splits").list.len() > 1)
    return Table(
        groups.drop("group"),
        {
            "n": "images",
            "first": "file of the first",
            "last": "file of the last",
            "splits": "splits that hold images of the group",
            "classes": "classes of its images",
        },
        len(frame),
        "Consecutive counters in the names, or exposures within 30 s, whose pictures differ less than half "
        "as much as two images of a class.",
        f"{found.by.capitalize()} and pictures suggest {len(groups):,} "
        f"groups, such as {found.example}; {len(across):,} of them lie in more than one split, with "
        f"{int(across['n'].sum()):,} images.",
    )
