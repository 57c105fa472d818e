"""A person's decisions about single images: the CSV that the report, other tools and `apply` share."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, cast, get_args

from deepsight.core.errors import UsageError, near_names
from deepsight.core.files.atomic import write_text
from deepsight.core.files.damage import damage_as
from deepsight.core.files.spreadsheet import guarded, unguarded
from deepsight.core.files.text_encoding import utf8_text
from deepsight.core.progress import Log, silent

Verdict = Literal["keep", "relabel", "remove", "unsure"]
VERDICTS = get_args(Verdict)
SEPARATORS = ",;\t"  # between cells: what the first line holds most of
SPLITS = ("train", "val", "test")
# The report of earlier versions exported these names.
OLD_NAMES = {"index": "id", "suggested": "label"}


@dataclass(frozen=True)
class Decision:
    """A person's decision about one image.

    Attributes:
        file: the name of the image, "" where images have no names.
        id: its row in the official order of its split.
        split: train, val or test.
        given: its class in the data set.
        decision: keep, relabel, remove or unsure.
        label: the class that it should have; the given one unless it is relabelled.
        who: the person, "" if unknown.
        when: the time in ISO 8601, "" if unknown.
    """

    file: str
    id: int
    split: str
    given: str
    decision: Verdict
    label: str
    who: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        if self.split not in SPLITS or self.decision not in VERDICTS or self.id < 0:
            raise UsageError(
                f"Expected a split of {', '.join(SPLITS)}, a decision of {', '.join(VERDICTS)} and an id of "
                f"at least 0, received '{self.split}', '{self.decision}' and {self.id}."
            )
        if (self.decision == "relabel") == (self.label in ("", self.given)):
            raise UsageError(
                f"Expected another label if and only if an image is relabelled, received the decision "
                f"'{self.decision}' with label '{self.label}' for {self.split} {self.id} ('{self.given}')."
            )


COLUMNS = tuple(field.name for field in fields(Decision))


def read_decisions(path: Path, *, log: Log = silent) -> tuple[Decision, ...]:
    """The decisions in a CSV, one per image, in its order. Rows without a decision are skipped.

    Args:
        path: the file, also as a spreadsheet saved it.
        log: receives in which encoding it was read, unless it is UTF-8 or UTF-16.

    Raises:
        UsageError: the file cannot be read, a column is missing, a row is invalid (the message gives its
            line), or two rows decide differently about one image.
    """
    if not path.is_file():
        raise UsageError(f"Expected decisions as CSV in {path}, found no such file.")
    with damage_as(
        lambda why: UsageError(f"Expected decisions as CSV in {path}, but it cannot be read: {why}.")
    ):
        read = utf8_text(path.read_bytes())
        text = read.content.decode("utf-8-sig")
        separator = max(SEPARATORS, key=text.partition("\n")[0].count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        names, rows = reader.fieldnames or (), list(reader)
    if read.note:
        log(f"{path} {read.note}")
    require_decision_columns(path, names)
    numbered = ((number, renamed(row)) for number, row in enumerate(rows, start=2))
    found = [decision_of_row(path, number, row) for number, row in numbered if row["decision"]]
    return once_per_image(path, found)


def renamed(row: Mapping[str, str | None]) -> dict[str, str]:
    """A row under today's column names."""
    return {
        OLD_NAMES.get(name, name): unguarded((value or "").strip()) for name, value in row.items() if name
    }


def require_decision_columns(path: Path, names: Iterable[str]) -> None:
    """Refuse a file without the columns that identify an image and its decision."""
    present = {OLD_NAMES.get(name, name) for name in names}
    missing = [name for name in ("id", "split", "given", "decision") if name not in present]
    if missing:
        raise UsageError(
            f"Expected the columns {', '.join(COLUMNS)} in {path}, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Export the decisions from the report again."
        )


def decision_of_row(path: Path, number: int, row: Mapping[str, str]) -> Decision:
    """The decision in a row; `number` is its line, for the message.

    Raises:
        UsageError: the row is invalid.
    """
    verdict, given = row["decision"].lower(), row["given"]
    label = row.get("label", "") if verdict == "relabel" else given
    try:
        if verdict not in VERDICTS:
            raise UsageError(f"'{verdict}' is not a decision; {near_names(verdict, list(VERDICTS))}")
        if not row["id"].isdecimal():
            raise UsageError(f"Expected the id as a whole number of at least 0, received '{row['id']}'.")
        texts = {name: row.get(name, "") for name in ("file", "who", "when")}
        return Decision(
            id=int(row["id"]), split=row["split"], given=given, decision=cast(Verdict, verdict), label=label,
            **texts,
        )  # fmt: skip
    except UsageError as error:
        raise UsageError(f"Line {number} of {path}: {error}") from error


def once_per_image(path: Path, decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """One decision per image; identical repeats count once.

    Raises:
        UsageError: two decisions about one image differ.
    """
    kept: dict[tuple[str, int], Decision] = {}
    for one in decisions:
        before = kept.setdefault((one.split, one.id), one)
        if (before.decision, before.label) != (one.decision, one.label):
            raise UsageError(
                f"Expected one decision per image in {path}, received '{before.decision}' and "
                f"'{one.decision}' for {one.split} {one.id}."
            )
    return tuple(kept.values())


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write the CSV that `read_decisions` reads."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for decision in decisions:
        values = asdict(decision)
        writer.writerow({name: guarded(one) if isinstance(one, str) else one for name, one in values.items()})
    write_text(path, text.getvalue())
