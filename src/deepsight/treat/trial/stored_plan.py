"""The plan of a trial in the run folder, so that a resumed trial follows it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepsight.core.files.atomic import digest_of, write_json
from deepsight.core.files.damage import DAMAGE
from deepsight.core.files.manifest import canonical
from deepsight.treat.treatments.base import Treatment
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.store import Store
from deepsight.treat.trial.trial_plan import TrialPlan, new_trial_plan

RENAMED = {"enough": "min_treatments", "opening": "final_test_seconds"}


def stored_or_new_plan(
    config: TrialConfig,
    treatments: Sequence[Treatment],
    folder: Path,
    budget: float,
    seeds: int,
    min_treatments: int,
) -> TrialPlan:
    """The stored plan if it was made for the same request, else a new one, which is stored."""
    request: dict[str, Any] = {
        "budget": budget,
        "seeds": seeds,
        "min_treatments": min_treatments,
        "treatments": [t.name for t in treatments],
        "recipe": config.recipe.digest(),
        "train": len(config.splits.train),
    }
    path = folder / "plan.json"
    known = stored_plan(path, request)
    if known is not None:
        return known
    Store(folder).forget_without_weights()
    plan = new_trial_plan(config, treatments, budget, seeds, min_treatments)
    content = {"request": request, "plan": plan.describe()}
    write_json(path, {**content, "digest": digest_of(canonical(content))})
    return plan


def stored_plan(path: Path, request: Mapping[str, Any]) -> TrialPlan | None:
    """The plan in a file; None if it is missing or damaged, or was made for another request."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        digest = stored.pop("digest", None)  # earlier versions wrote none
        whole = digest is None or digest == digest_of(canonical(stored))
        if not whole or under_new_names(stored["request"]) != request:
            return None
        return TrialPlan(**under_new_names(stored["plan"]))
    except DAMAGE:
        return None


def under_new_names(stored: dict[str, Any]) -> dict[str, Any]:
    """Part of a stored plan under its current names; earlier versions used others for some."""
    return {RENAMED.get(name, name): value for name, value in stored.items()}
