"""Label Studio: exports images as tasks with pre-annotations, and reads its JSON export as decisions."""

import json
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from deepsight.core.decisions import VERDICTS, Decision, Verdict
from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import write_text
from deepsight.workflows.exchange.found_images import ExaminedRun, FoundImage, write_pictures
from deepsight.workflows.exchange.new_labels import NEW, NewLabel

TASKS, CONFIG = "tasks.json", "labeling_config.xml"
CARRIED = ("file", "id", "split", "given", "suggested", "cause", "label_error")


def write_label_studio(folder: Path, examined: ExaminedRun) -> list[Path]:
    """Write the tasks, the labelling configuration and the pictures.

    Serve the folder as Label Studio's local storage, paste the configuration into the project, and import
    the tasks.
    """
    tasks = [
        task_of(image, f"/data/local-files/?d={path.relative_to(folder).as_posix()}")
        for image, path in write_pictures(folder / "images", examined)
    ]
    write_text(folder / TASKS, json.dumps(tasks, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / CONFIG, labeling_config(examined.classes))
    return [folder / TASKS, folder / CONFIG]


def task_of(image: FoundImage, address: str) -> dict[str, Any]:
    """One task; its data identify the image when it comes back."""
    data = {"image": address, **{name: getattr(image, name) for name in CARRIED}}
    guess = image.suggested if image.flagged else image.predicted or image.suggested
    predictions = [] if guess is None else [prediction_of(guess, image.confidence)]
    return {"data": data, "predictions": predictions}


def prediction_of(label: str, score: float | None) -> dict[str, Any]:
    """A pre-annotation that the reader confirms or changes."""
    choice = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [label]}}
    return {"model_version": "deepsight", "score": score, "result": [choice]}


def labeling_config(classes: tuple[str, ...]) -> str:
    """The project's configuration: the label, and what to do with the image."""
    labels = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in classes)
    verdicts = "\n".join(f'    <Choice value="{name}"/>' for name in VERDICTS)
    return (
        "<View>\n"
        '  <Image name="image" value="$image" zoom="true"/>\n'
        '  <Text name="given" value="given: $given, suggested: $suggested"/>\n'
        f'  <Choices name="label" toName="image" choice="single" required="true">\n{labels}\n  </Choices>\n'
        f'  <Choices name="decision" toName="image" choice="single">\n{verdicts}\n  </Choices>\n'
        "</View>\n"
    )


def read_label_studio(path: Path) -> list[Decision]:
    """The decisions in a JSON export about images of a run, without those about new pictures.

    Tasks that nobody annotated, or that were skipped, are left out.

    Raises:
        UsageError: it is not an export of tasks that DeepSight wrote.
    """
    return [
        decision_of_annotation(data, answer) for data, answer in answered_tasks(path) if data["split"] != NEW
    ]


def read_new_labels(path: Path) -> list[NewLabel]:
    """The labels in a JSON export of pictures that `label-next` proposed, without removed and unsure ones.

    Raises:
        UsageError: it is not an export of tasks that DeepSight wrote.
    """
    answers = [(data, answer) for data, answer in answered_tasks(path) if data["split"] == NEW]
    labels = [new_label_of(data, answer) for data, answer in answers]
    return [label for label in labels if label is not None]


def answered_tasks(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The data of each task that somebody annotated, and the newest annotation.

    Raises:
        UsageError: it is not an export of tasks that DeepSight wrote.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        answers = [(task["data"], last_annotation(task)) for task in tasks]
        found = [(data, answer) for data, answer in answers if answer is not None]
        for data, answer in found:
            require_readable_answer(data, answer)
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"Expected Label Studio's JSON export of tasks that DeepSight wrote in {path}, but it cannot be "
            f"read ({type(error).__name__}: {error}). Export as JSON, not as JSON-MIN or CSV."
        ) from error


def require_readable_answer(data: dict[str, Any], annotation: dict[str, Any]) -> None:
    """Raise KeyError, ValueError or TypeError unless a task is one of ours and its answer can be read."""
    for name in ("file", "id", "split", "given"):
        data[name]
    int(data["id"])
    choices_of(annotation)


def choices_of(annotation: dict[str, Any]) -> dict[str, str]:
    """What was chosen, by the name of the choice: label, decision."""
    return {one["from_name"]: str(one["value"]["choices"][0]) for one in annotation["result"]}


def last_annotation(task: dict[str, Any]) -> dict[str, Any] | None:
    """The newest annotation that was not cancelled and is not empty; None if there is none."""
    done = [one for one in task.get("annotations", []) if one["result"] and not one.get("was_cancelled")]
    return max(done, key=lambda one: str(one.get("updated_at", "")), default=None)


def decision_of_annotation(data: dict[str, Any], annotation: dict[str, Any]) -> Decision:
    """The reader's decision: the chosen verdict, or else keep or relabel according to the label."""
    chosen = choices_of(annotation)
    label = chosen.get("label", data["given"])
    verdict = chosen.get("decision", "keep" if label == data["given"] else "relabel")
    if verdict == "keep" and label != data["given"]:
        verdict = "relabel"
    if verdict == "relabel" and label == data["given"]:
        verdict = "keep"
    return Decision(
        file=data["file"], id=int(data["id"]), split=data["split"], given=data["given"],
        decision=cast(Verdict, verdict), label=label if verdict == "relabel" else data["given"],
        who=person(annotation.get("completed_by")), when=str(annotation.get("updated_at", "")),
    )  # fmt: skip


def new_label_of(data: dict[str, Any], annotation: dict[str, Any]) -> NewLabel | None:
    """The label of a new picture; None if the reader gave none, or chose remove or unsure."""
    chosen = choices_of(annotation)
    if "label" not in chosen or chosen.get("decision") in ("remove", "unsure"):
        return None
    return NewLabel(
        path=str(Path(data.get("folder", "")) / data["file"]), label=chosen["label"],
        who=person(annotation.get("completed_by")), when=str(annotation.get("updated_at", "")),
    )  # fmt: skip


def person(completed_by: Any) -> str:
    """Who annotated: an e-mail address or a user number, as in the export."""
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    return "" if completed_by is None else str(completed_by)
