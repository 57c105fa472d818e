"""The audit, top to bottom: files, images, duplicates, labels, shortcuts, and drift against a run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepsight.config import AuditedSource, StudyConfig
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.evidence import Evidence
from deepsight.core.file_columns import file_names, with_files
from deepsight.core.files.lock import locked
from deepsight.core.progress import Log, StageStarted, silent
from deepsight.core.run import AUDIT, REPORT, Run
from deepsight.core.stop import raise_if_stopped
from deepsight.explore.appearance import appearance_table, mean_images
from deepsight.explore.balance import balance_table
from deepsight.interpret.findings import Findings, not_examined_table
from deepsight.report.html import render
from deepsight.workflows.audit.audit_metrics import audit_values
from deepsight.workflows.audit.audited_data import AuditedData, data_name, open_audited
from deepsight.workflows.audit.copies import TRAINING, copy_findings
from deepsight.workflows.audit.drift import drift_findings, training_images
from deepsight.workflows.audit.files import headers_of, leak_findings, unreadable_table
from deepsight.workflows.audit.neighbourhoods import group_findings, neighbourhood_findings
from deepsight.workflows.audit.passes import AuditPasses
from deepsight.workflows.audit.pictures import issue_findings, sheets_of
from deepsight.workflows.audit.reference import ComparedRun, open_compared
from deepsight.workflows.gates.conditions import check_gates
from deepsight.workflows.passes.block_passes import LOCAL, require_engine

STAGE = "audit"


@dataclass
class Steps:
    """Carries out the steps of an audit, merges their findings and records the seconds of each."""

    log: Log
    found: Findings = field(default_factory=Findings)
    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, find: Callable[[], Findings]) -> None:
        """Carry out one step."""
        raise_if_stopped()
        self.log(StageStarted(name))
        began = time.perf_counter()
        self.found = self.found.merge(find())
        self.seconds[name] = round(time.perf_counter() - began, 1)


def audit(
    data: str,
    out: str | Path = "runs/audit",
    *,
    against: str | Path | None = None,
    gates: Sequence[str] = (),
    unlabelled: bool = False,
    options: StudyConfig | None = None,
    engine: str = LOCAL,
    log: Log = silent,
) -> dict[str, Any]:
    """Examine a data set without training a model.

    Args:
        data: the name of a data set as for `load_dataset`, or the path of a folder, a table or an .npz file.
            A folder without class folders is audited without labels.
        out: the folder for report, tables and audit.json; an earlier audit of the same data is replaced.
        against: the folder of a run; the images are compared with its training and test images.
        gates: conditions on the metrics of audit.json, such as "near_duplicate_share <= 2 %".
        unlabelled: take no labels from folder names.
        options: of a study; seed, fit, backbone, weights, data_dir and offline are used.
        engine: where the passes over all images run: "local", "ray" or "ray://HOST:PORT".
        log: receives progress and warnings; `print` shows them.

    Returns:
        The content of audit.json.

    Raises:
        UsageError: the data or the engine is unknown, or a gate is malformed.
        DeepSightError: the data or the run cannot be used.

    Example:
        >>> from deepsight import audit
        >>> found = audit("photos", "runs/audit")
        >>> found["n"], found["metrics"]["unreadable_share"]["value"]
        (200, 0.0)
    """
    require_engine(engine)
    compared = None if against is None else open_compared(Path(against), log)
    given = options or StudyConfig()
    fit = given.fit if compared is None else compared.fit
    source = AuditedSource(against=None if against is None else Path(against))
    study = given.model_copy(
        update={"data": data_name(data), "audited": source, "fit": fit, "gates": tuple(gates)}
    )
    folder = Path(out)
    Run(folder).require_usable()
    with locked(folder):
        run = Run.create(folder, study.stored())
        run.reopen(STAGE)
        return carry_out_audit(run, study, compared, unlabelled=unlabelled, engine=engine, log=log)


def carry_out_audit(
    run: Run, study: StudyConfig, compared: ComparedRun | None, *, unlabelled: bool, engine: str, log: Log
) -> dict[str, Any]:
    """Examine the data and write the folder."""
    began = time.perf_counter()
    shape = None if compared is None else compared.shape
    log(StageStarted("obtain"))
    data = open_audited(study, shape=shape, unlabelled=unlabelled, log=log)
    steps = Steps(log, seconds={"obtain": round(time.perf_counter() - began, 1)})
    passes = AuditPasses.of(data, study, engine, log)
    examine_data(data, study, compared, passes, steps)
    evidence = steps.found.evidence
    if steps.found.refusals:
        evidence = evidence.add(not_examined=not_examined_table(steps.found.refusals))
    pictures = steps.found.pictures | sheets_of(evidence, data.parts)
    named = dict(data.parts) if compared is None else {TRAINING: compared.train, **data.parts}
    run.save_json("data.json", data.record)
    run.save_json("environment.json", environment())
    run.save_pictures(pictures)
    run.save_evidence(with_files(evidence, file_names(named)))
    seconds = {**steps.seconds, "total": round(time.perf_counter() - began, 1)}
    run.save_json(AUDIT, audit_record(data, study, evidence, seconds))
    run.commit(STAGE)
    passes.forget()
    if study.gates:
        check_gates(run.path, study.gates)
    render(run)
    run.commit("report", also=[REPORT])
    return run.read_json(AUDIT)


def examine_data(
    data: AuditedData, study: StudyConfig, compared: ComparedRun | None, passes: AuditPasses, steps: Steps
) -> None:
    """Carry out every step that applies to the data, in the order of the report."""
    headers = headers_of(data)
    steps.take("files", lambda: Findings(Evidence({"unreadable": unreadable_table(data)})))
    steps.take("pictures", lambda: issue_findings(data, headers, passes))
    training = None if compared is None else training_images(data, compared)
    steps.take("copies", lambda: copy_findings(data.parts, training, labelled=data.labelled, seed=study.seed))
    if data.labelled:
        steps.take("classes", lambda: Findings(class_evidence(data)))
    steps.take("features", lambda: neighbourhood_findings(data, study, passes))
    steps.take("groups", lambda: group_findings(data))
    steps.take("leaks", lambda: leak_findings(data, headers, seed=study.seed))
    if compared is not None:
        steps.take("drift", lambda: drift_findings(data, compared, seed=study.seed))


def class_evidence(data: AuditedData) -> Evidence:
    """The sizes of the classes, and the mean image of each in the first split."""
    first = next(iter(data.parts.values()))
    return Evidence(
        {
            "balance": balance_table({name: part.labels for name, part in data.parts.items()}, data.classes),
            "appearance": appearance_table(first),
            "mean_images": mean_images(first),
        }
    )


def audit_record(
    data: AuditedData, study: StudyConfig, evidence: Evidence, seconds: dict[str, float]
) -> dict[str, Any]:
    """The content of audit.json."""
    against = study.audited.against if study.audited else None
    return {
        "data": data.record["data"],
        "against": None if against is None else str(against),
        "n": len(data),
        "n_by_split": {name: len(part) for name, part in data.parts.items()},
        "classes": len(data.classes) if data.labelled else None,
        "metrics": audit_values(evidence, data, against=against is not None),
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": seconds,
    }
