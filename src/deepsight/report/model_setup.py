"""The first stage in the report on an external model: is it used as it was trained?"""

from dataclasses import dataclass

from deepsight.core.evidence import Table
from deepsight.core.run import EXAMINED
from deepsight.report.figures.model_setup import preprocessing_figure
from deepsight.report.run_data import RunData
from deepsight.report.sections import OUTLINE, Entry, Stage

DOCUMENTED = "as documented"  # the first row of `preprocessing_audit` if the model documents one


@dataclass(frozen=True)
class SetupLine:
    """The result of an audit on the first screen: a title, a sentence, and whether something is wrong."""

    name: str
    title: str
    sentence: str
    wrong: bool


def preprocessing_is_wrong(table: Table) -> bool:
    """Whether another preprocessing was chosen instead of the documented one."""
    chosen = table.frame.filter("chosen")["preprocessing"].to_list()
    return table.frame["preprocessing"].to_list()[:1] == [DOCUMENTED] != chosen


def classes_are_exchanged(table: Table) -> bool:
    """Whether the outputs are in another order than the classes of the data."""
    return bool(table.frame["exchanged"].any())


def preprocessing_advice(table: Table) -> str:
    """What to do about the preprocessing."""
    if preprocessing_is_wrong(table):
        return (
            "Prepare images in the chosen way wherever the model is used, and document it with the model: "
            "model.json holds the input format in use. `--preprocess FILE.yaml` sets another one."
        )
    return "Nothing. If you know how the model was trained, set it with `--preprocess FILE.yaml`."


def class_order_advice(table: Table) -> str:
    """What to do about the order of the classes."""
    if classes_are_exchanged(table):
        return (
            "Check the model's list of class names; until it is corrected, state the order with `--classes`."
        )
    return "Nothing: the outputs match the class names."


SETUP = Stage(
    "Setup",
    "examine",
    (
        Entry(
            "preprocessing_audit",
            "Are its images prepared as in training?",
            "figure",
            preprocessing_figure,
            preprocessing_advice,
            optional=True,
            needs=("preprocessing", "difference", "ci_low", "ci_high", "chosen"),
        ),
        Entry(
            "class_order_audit",
            "Are its outputs in the order of the classes?",
            advise=class_order_advice,
            optional=True,
        ),
    ),
)
LINES = (
    ("preprocessing_audit", "Preprocessing", preprocessing_is_wrong),
    ("class_order_audit", "Order of the classes", classes_are_exchanged),
)


def is_examination(study: RunData) -> bool:
    """Whether the run is the examination of an external model or of its predictions."""
    return bool(study.configuration.get(EXAMINED))


def outline_of(study: RunData) -> tuple[Stage, ...]:
    """The stages of the report; an examination begins with SETUP."""
    return (SETUP, *OUTLINE) if is_examination(study) else OUTLINE


def setup_lines(study: RunData) -> list[SetupLine]:
    """The two audits for the first screen, as far as they were made."""
    found = [(name, title, wrong, study.table(name)) for name, title, wrong in LINES]
    return [
        SetupLine(name, title, table.caption, wrong(table)) for name, title, wrong, table in found if table
    ]
