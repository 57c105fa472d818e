"""Plain facts of a run: the plan, and where data and weights come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from deepsight.report.numbers import absent, cell, count, duration, percent
from deepsight.report.study import Facts, Study

Pairs = list[tuple[str, str]]


def notice(study: Study) -> str:
    """What the reader must be told about the weights, such as that the fallback backbone was used."""
    return str(study.model.get("notice") or "")


def summary(study: Study) -> list[tuple[str, Pairs]]:
    """The plan and the origins, for the first screen."""
    metrics, plan = study.metrics, study.configuration.get("plan")
    origins = {
        "data": metrics.get("data_source"),
        "weights": metrics.get("weights_source"),
        "backbone": metrics.get("backbone"),
    }
    chosen = plan if isinstance(plan, Mapping) else {"plan": plan}
    keys = ("minutes", "resolution", "train_limit", "seed")
    asked = {key: study.configuration.get(key) for key in keys if key not in chosen}
    return [
        ("Plan", list(flatten({**asked, **chosen}))),
        ("Sources", list(flatten(origins))),
        ("Effort", effort(metrics)),
    ]


def effort(metrics: Facts) -> Pairs:
    """The seconds of each stage, and the memory."""
    seconds = metrics.get("seconds") or {}
    pairs = [(words(stage), duration(value)) for stage, value in seconds.items() if not absent(value)]
    if not absent(metrics.get("peak_rss_mb")):
        pairs.append(("peak memory", f"{count(metrics['peak_rss_mb'])} MB"))
    return pairs


def provenance(study: Study) -> list[tuple[str, Pairs]]:
    """Everything that the run folder says about its data, model, machine and configuration."""
    model = {key: value for key, value in study.model.items() if key not in ("classes", "notice")}
    return [
        ("Data", list(flatten(study.data))),
        ("Model and weights", list(flatten(model))),
        ("Machine", list(flatten(study.environment))),
        ("Configuration", list(flatten(study.configuration))),
    ]


def flatten(facts: Facts, before: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as pairs of words; facts without a value are left out, long lists are counted."""
    for key, value in facts.items():
        name = f"{before}{words(str(key))}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name} · ")
        elif isinstance(value, list) and (
            len(value) > 12 or any(isinstance(item, Mapping) for item in value)
        ):
            yield name, f"{len(value)} items"
        elif not absent(value) and value not in ("", []):
            yield name, shown(key, value)


def shown(key: str, value: Any) -> str:
    """A value as text: shares by name as percentages, whole numbers with their thousands."""
    if key == "share":
        return percent(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return count(value) if whole and key not in ("seed", "port") else cell(value)


def words(key: str) -> str:
    """A key as words."""
    return key.replace("_", " ")
