"""Facts about a run: its plan, its data, its weights and its machine."""

from collections.abc import Iterator, Mapping
from typing import Any

from deepsight.report.formatting import cell_text, count_text, duration_text, is_absent, percent_text
from deepsight.report.run_data import Facts, RunData

Pairs = list[tuple[str, str]]

# Stored keys whose words would not say enough.
STAGES = {"frozen": "train: linear probe", "finetune": "train: fine-tuning"}
KEYS = {
    "trunk_ends_after": "last frozen stage", "head_strength": "ridge penalty of the linear probe",
    "kept_phase": "kept model", "sha256_of_records": "SHA-256 of the records", "std": "standard deviation",
}  # fmt: skip
PHASES = {"frozen": "the linear probe", "finetune": "after fine-tuning"}


def notice(study: RunData) -> tuple[str, str]:
    """The notice about the weights, such as a fallback: its first sentence, and the rest."""
    first, _, rest = str(study.model.get("notice") or "").partition(". ")
    return (f"{first}." if rest else first), rest


def summary_facts(study: RunData) -> list[tuple[str, Pairs]]:
    """The plan, the sources, and time and memory, for the first screen."""
    if study.is_audit:
        facts = {"images": study.audit.get("n_by_split"), "compared with": study.audit.get("against")}
        return [("Data", list(flatten(facts))), ("Time and memory", effort_facts(study.audit))]
    return [
        ("Plan", plan_facts(study.configuration)),
        ("Sources", source_facts(study)),
        ("Time and memory", effort_facts(study.metrics)),
    ]


def plan_facts(configuration: Facts) -> Pairs:
    """What the plan fixed before training: what a reader compares between two runs."""
    settled = configuration.get("plan") or {}
    recipe = settled.get("recipe") or {}
    facts = {
        "minutes": f"{configuration['minutes']:g}" if configuration.get("minutes") else None,
        "training images": settled.get("train_rows"),
        "folds": settled["folds"] if settled.get("folds", 1) > 1 else None,
        "resolution": f"{recipe['resolution']} px" if "resolution" in recipe else None,
        "interpolation": recipe.get("interpolation"),
        "epochs": f"{recipe['epochs']:g}" if "epochs" in recipe else None,
        "seed": configuration.get("seed"),
    }
    predicted = settled.get("predicted_seconds")
    pairs = list(flatten(facts))
    return [*pairs, ("predicted time", duration_text(sum(predicted.values())))] if predicted else pairs


def source_facts(study: RunData) -> Pairs:
    """Where the data and the weights came from."""
    metrics, data, model = study.metrics, study.data, study.model
    source = metrics.get("data_source") or data.get("source")
    origin = data.get("origin")
    facts = {
        "data": source,
        "origin of the data": None if origin == source else origin,
        "pictures": fit_text(data),
        "backbone": metrics.get("backbone") or model.get("architecture"),
        "weights": metrics.get("weights_source") or model.get("weights_source"),
    }
    return list(flatten(facts))


def fit_text(data: Facts) -> str | None:
    """How images were brought into the stored shape, and how much was cut off; None if not recorded."""
    if "fit" not in data:
        return None
    ways = {"crop": "the central square", "pad": "whole, with black bars", "squash": "squashed to a square"}
    said = ways.get(data["fit"], "whole")
    if not data.get("cut"):
        return said
    return f"{said}; {percent_text(data['cut'], 0)} of each image cut off on average"


def effort_facts(metrics: Facts) -> Pairs:
    """Seconds per stage, and peak memory.

    Pages of mapped files are part of it, although the system gives their memory back when others need it.
    """
    seconds = metrics.get("seconds") or {}
    pairs = [
        (STAGES.get(stage) or key_words(stage), duration_text(value))
        for stage, value in seconds.items()
        if not is_absent(value)
    ]
    if not is_absent(metrics.get("peak_rss_mb")):
        pairs.append(("peak memory with mapped files", f"{count_text(metrics['peak_rss_mb'])} MB"))
    return pairs


def provenance_facts(study: RunData) -> list[tuple[str, Pairs]]:
    """All stored facts about data, model and machine."""
    model = {key: value for key, value in study.model.items() if key not in ("classes", "notice", "recipe")}
    data = dict(study.data)
    if data.get("digests") == data.get("sha256_of_records"):
        data.pop("digests", None)  # CIFAR-10's are those of its records
    return [
        ("Data", list(flatten(data))),
        ("Model and weights", list(flatten(model))),
        ("Machine", list(flatten(study.environment))),
    ]


def training_note(study: RunData) -> str:
    """Which weights the stored model has, in one sentence."""
    recipe = study.model.get("recipe") or {}
    if study.model.get("kept_phase") == "frozen":
        return "The model is that of the frozen phase, since fine-tuning ended worse on validation."
    if recipe.get("averaged"):
        return "The model has the average of the last steps' weights."
    return "The model has the weights of the last epoch."


def configuration_facts(study: RunData) -> Pairs:
    """The whole of study.yaml."""
    return list(flatten(study.configuration))


def flatten(facts: Facts, before: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as pairs of strings; leaves out empty values and counts long lists."""
    for key, value in facts.items():
        name = f"{before}{key_words(str(key))}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name} · ")
        elif isinstance(value, list) and (
            len(value) > 12 or any(isinstance(item, Mapping) for item in value)
        ):
            yield name, f"{len(value)} {'item' if len(value) == 1 else 'items'}"
        elif not is_absent(value) and value not in ("", []):
            yield name, fact_text(key, value)


def fact_text(key: str, value: Any) -> str:
    """A value as text: a share as a percentage, whole numbers with thousands separators."""
    if key == "kept_phase":
        return PHASES.get(value, str(value))
    if key == "share":
        return percent_text(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return count_text(value) if whole and key not in ("seed", "port") else cell_text(value)


def key_words(key: str) -> str:
    """A key as words."""
    return KEYS.get(key) or key.replace("_", " ")
