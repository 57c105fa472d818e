"""What the features of a backbone show that has seen no label of these images: outliers, labels, groups."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from deepsight.config import StudyConfig
from deepsight.core.array_types import Floats32
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.progress import Log, Progress
from deepsight.core.recipe import Recipe
from deepsight.core.suggested_groups import SuggestedGroups, suggest_groups
from deepsight.explore.isolated_images import isolated_images_table
from deepsight.interpret.findings import Findings
from deepsight.interpret.labels.knn import nearest_neighbours
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.sources import ExaminedSplit, gather_label_sources
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import blocks_of
from deepsight.model.pretrained import load_pretrained
from deepsight.workflows.audit.audited_data import AuditedData

SIDE = 64  # pixels of the network's input: a minute for 10,000 images on two cores
BLOCK = 1024  # images read at a time
NEIGHBOURS = 10
FEWEST = 50  # images below which neither outliers nor labels can be told

SplitFeatures = Mapping[str, Floats32]


def frozen_features(data: AuditedData, study: StudyConfig, log: Log) -> SplitFeatures:
    """The features (n, d) of each split, from the backbone with its ImageNet weights.

    Raises:
        DeepSightError: the weights cannot be had.
    """
    pretrained = load_pretrained(
        study.backbone, study.weights, allow_partial=study.allow_partial, offline=study.offline, log=log
    )
    frozen, recipe = FrozenBackbone(pretrained), Recipe(resolution=pretrained.side or SIDE)
    pace, done, found = Progress("images looked at", len(data), log), 0, {}
    for name, part in data.parts.items():
        rows = []
        for block in blocks_of(len(part), BLOCK):
            rows.append(frozen.features(part.pixels(block), recipe))
            done += len(rows[-1])
            pace.done(done)
        found[name] = np.concatenate(rows)
    return found


def neighbourhood_findings(data: AuditedData, study: StudyConfig, log: Log) -> Findings:
    """Outliers and suspected labels, as far as the backbone's weights can be had."""
    if len(data) < FEWEST:
        return refused(f"Fewer than {FEWEST} images show neither outliers nor wrong labels.")
    try:
        features = frozen_features(data, study, log)
    except DeepSightError as error:
        return refused(str(error))
    whole = np.concatenate(list(features.values()))
    near = nearest_neighbours(whole, count=NEIGHBOURS, seed=study.seed)
    found = Findings(Evidence({"isolated_images": isolated_images_table(near.cosine, data.keys)}))
    if not data.labelled:
        return found.merge(Findings.refused("label_errors", "The images have no labels."))
    parts = {
        name: ExaminedSplit(part.ids, part.labels, None, features[name], "frozen")
        for name, part in data.parts.items()
    }
    sources = gather_label_sources(parts, len(data.classes), seed=study.seed)
    return found.merge(Findings(Evidence(label_error_tables(sources, data.classes))))


def refused(reason: str) -> Findings:
    """What needs the features cannot be examined."""
    return Findings.refused("isolated_images", reason).merge(Findings.refused("label_errors", reason))


def group_findings(data: AuditedData) -> Findings:
    """Images that belong together by their names or times of exposure, and groups that lie in two splits."""
    parts = data.parts
    times = [data.taken.get(name, np.full(len(part), np.nan)) for name, part in parts.items()]
    found = suggest_groups(list(parts.values()), times)
    if found is None:
        return Findings.refused(
            "suggested_groups", "Neither names nor times of exposure put similar images in a sequence."
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
