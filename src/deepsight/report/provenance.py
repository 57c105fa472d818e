"""Plain facts of a run: the plan, and where data and weights come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from deepsight.report.numbers import absent, cell, count, duration, percent
from deepsight.report.run_data import Facts, RunData

Pairs = list[tuple[str, str]]


def notice(study: RunData) -> tuple[str, str]:
    """What must be known of the weights, such as that the fallback was used: a sentence, the rest."""
    first, _, rest = str(study.model.get("notice") or "").partition(". ")
    return (f"{first}." if rest else first), rest


def summary(study: RunData) -> list[tuple[str, Pairs]]:
    """The plan, the origins and the effort, for the first screen."""
    return [
        ("Plan", plan(study.configuration)),
        ("Sources", sources(study)),
        ("Effort", sample_sizes(study.metrics)),
    ]


def plan(configuration: Facts) -> Pairs:
    """What was settled before training: the parts that a reader compares between two runs."""
    settled = configuration.get("plan") or {}
    recipe = settled.get("recipe") or {}
    facts = {
        "minutes": f"{configuration['minutes']:g}" if configuration.get("minutes") else None,
        "training images": settled.get("train_rows"),
        "resolution": f"{recipe['resolution']} px" if "resolution" in recipe else None,
        "interpolation": recipe.get("interpolation"),
        "epochs": f"{recipe['epochs']:g}" if "epochs" in recipe else None,
        "seed": configuration.get("seed"),
    }
    predicted = settled.get("predicted_seconds")
    pairs = list(flatten(facts))
    return [*pairs, ("predicted time", duration(sum(predicted.values())))] if predicted else pairs


def sources(study: RunData) -> Pairs:
    """Where data and weights came from."""
    metrics, data, model = study.metrics, study.data, study.model
    source = metrics.get("data_source") or data.get("source")
    origin = data.get("origin")
    facts = {
        "data": source,
        "origin of the data": None if origin == source else origin,
        "backbone": metrics.get("backbone") or model.get("architecture"),
        "weights": metrics.get("weights_source") or model.get("weights_source"),
    }
    return list(flatten(facts))


def sample_sizes(metrics: Facts) -> Pairs:
    """The seconds of each stage, and the memory."""
    seconds = metrics.get("seconds") or {}
    pairs = [(words(stage), duration(value)) for stage, value in seconds.items() if not absent(value)]
    if not absent(metrics.get("peak_rss_mb")):
        pairs.append(("peak memory", f"{count(metrics['peak_rss_mb'])} MB"))
    return pairs


def provenance(study: RunData) -> list[tuple[str, Pairs]]:
    """Everything that the run folder says about its data, model and machine."""
    model = {key: value for key, value in study.model.items() if key not in ("classes", "notice", "recipe")}
    return [
        ("Data", list(flatten(study.data))),
        ("Model and weights", list(flatten(model))),
        ("Machine", list(flatten(study.environment))),
    ]


def configuration(study: RunData) -> Pairs:
    """The whole of study.yaml."""
    return list(flatten(study.configuration))


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
