"""Manifests: the files of each stage of a run with their digests. A stage is done if its manifest holds.

A run folder holds one manifest per finished stage, written after all its files. A later stage may rewrite a
file of an earlier one, as the report adds the time to metrics.json; then the later manifest owns it. Runs of
earlier versions have no manifests; their files are read unchecked.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from deepsight.core.files.atomic import digest_of, file_digest, write_json

FOLDER = "manifests"
# Each stage builds on those before it.
STAGES = ("obtain", "scrub", "explore", "train", "interpret", "levers", "report", "treat", "predict")
INDEX = "evidence/index.json"
# These hold times or are derived from other files: later stages do not depend on them.
VOLATILE = frozenset({"metrics.json", "environment.json", "history.parquet", "report.html", INDEX})


@dataclass(frozen=True)
class Manifest:
    """The files of one stage.

    Attributes:
        stage: its name.
        order: position among the manifests of the run; of two that list a file, the later owns it.
        files: the digest of each file, by its path in the run folder.
        tables: the metadata of the evidence tables of this stage, as in `evidence/index.json`.
    """

    stage: str
    order: int
    files: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """The content of its file, with a digest of itself."""
        body = {
            "stage": self.stage, "order": self.order, "files": dict(self.files),
            "tables": {name: dict(about) for name, about in self.tables.items()},
        }  # fmt: skip
        return {**body, "digest": digest_of(canonical(body))}


def canonical(content: Any) -> bytes:
    """Canonical JSON: equal contents give equal bytes."""
    return json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")


@dataclass(frozen=True)
class Manifests:
    """A snapshot of the manifests of a run folder.

    Attributes:
        run: the run folder.
        by_stage: the intact ones, in their order; a damaged one counts as absent.
    """

    run: Path
    by_stage: Mapping[str, Manifest]

    @cached_property
    def owners(self) -> Mapping[str, Manifest]:
        """The manifest that owns each file."""
        return {name: manifest for manifest in self.by_stage.values() for name in manifest.files}

    def tables(self) -> dict[str, dict[str, Any]]:
        """The metadata of all evidence tables, in the order of the stages, also where one was run again."""
        known = {name: m.tables[name] for m in self.by_stage.values() for name in m.tables}
        in_order = sorted(
            self.by_stage.values(), key=lambda m: STAGES.index(m.stage) if m.stage in STAGES else -1
        )
        names = dict.fromkeys(name for manifest in in_order for name in manifest.tables)
        return {name: dict(known[name]) for name in names}

    def holds(self, name: str) -> bool:
        """Whether a file is what its stage wrote; true for a file that no manifest lists."""
        owner = self.owners.get(name)
        if owner is None:
            return True
        try:
            return file_digest(self.run / name) == owner.files[name]
        except OSError:
            return False

    def failing(self, stage: str) -> list[str]:
        """The files of a stage that are missing or changed.

        The index of the tables is left out, since it can be restored from the manifests.
        """
        manifest = self.by_stage[stage]
        mine = (name for name in manifest.files if self.owners[name] is manifest and name != INDEX)
        return [name for name in mine if not self.holds(name)]


def read_manifests(run: Path) -> Manifests | None:
    """The manifests of a run folder; None for a run of an earlier version, which has none."""
    folder = run / FOLDER
    if not folder.is_dir():
        return None
    found = [read_manifest(path, path.stem) for path in folder.glob("*.json")]
    whole = sorted((one for one in found if one is not None), key=lambda one: one.order)
    return Manifests(run, {one.stage: one for one in whole})


def read_manifest(path: Path, stage: str) -> Manifest | None:
    """A manifest; None if it is damaged or lists a file outside the run."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made = Manifest(content["stage"], content["order"], content["files"], content["tables"])
        if made.content() != content or made.stage != stage or not is_well_formed(made):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return made


def is_well_formed(made: Manifest) -> bool:
    """Whether the values of a manifest have the right types, and its files lie in the run folder."""
    return (
        isinstance(made.order, int)
        and all(isinstance(digest, str) and is_inside(name) for name, digest in made.files.items())
        and all(isinstance(about, Mapping) for about in made.tables.values())
    )


def is_inside(name: str) -> bool:
    """Whether a path stays inside the folder that it is relative to."""
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts


def write_manifest(
    run: Path, stage: str, names: Iterable[str], tables: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write the manifest of a finished stage, after all its files.

    A stage that was not reopened adds to its manifest. If a file that later stages build on has changed,
    their manifests are removed, so that they run again.
    """
    known = read_manifests(run)
    if known is None:
        return
    still = known.by_stage.get(stage)
    before = still or read_manifest(reopened(run, stage), stage)
    files = {name: file_digest(run / name) for name in sorted(names)}
    if still is not None:
        kept = {name: digest for name, digest in still.files.items() if known.owners[name] is still}
        files, tables = {**kept, **files}, {**still.tables, **tables}
    if before is None or lasting_files_changed(before.files, files):
        for later in stages_after(stage):
            (run / FOLDER / f"{later}.json").unlink(missing_ok=True)
    order = 1 + max((one.order for one in known.by_stage.values()), default=0)
    made = Manifest(stage, order, files, tables)
    write_json(run / FOLDER / f"{stage}.json", made.content())
    reopened(run, stage).unlink(missing_ok=True)


def reopen_stage(run: Path, stage: str) -> None:
    """Set the manifest of a stage aside while the stage runs again: until then its files do not count."""
    path = run / FOLDER / f"{stage}.json"
    if path.exists():
        path.replace(reopened(run, stage))


def reopened(run: Path, stage: str) -> Path:
    """Where the manifest of a stage is kept while the stage runs again."""
    return run / FOLDER / f"{stage}.reopened"


def stages_after(stage: str) -> tuple[str, ...]:
    """The stages that build on this one."""
    return STAGES[STAGES.index(stage) + 1 :] if stage in STAGES else ()


def lasting_files_changed(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether a file that later stages build on has changed."""
    return any(before[name] != after[name] for name in before.keys() & after.keys() - VOLATILE)
