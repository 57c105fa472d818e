"""What an audit's report advises follows from what was found."""

import polars as pl
import pytest

from deepsight.core.evidence import Table
from deepsight.report.audit_sections import AUDIT_OUTLINE, OUTLIERS, UNREADABLE, where_found
from deepsight.report.audit_summary import share_phrase


def table_of(**columns: list[object]) -> Table:
    frame = pl.DataFrame(columns)
    return Table(frame, dict.fromkeys(frame.columns, "as made here"), 10, "made here", "Made here.")


@pytest.mark.parametrize(
    ("said", "some", "none"),
    [
        (UNREADABLE, table_of(file=["a.png"]), table_of(file=[])),
        (OUTLIERS, table_of(flagged=[True, False]), table_of(flagged=[False, False])),
    ],
)
def test_there_is_something_to_do_only_where_something_was_found(said: str, some: Table, none: Table) -> None:
    assert where_found(said)(some) == said
    assert where_found(said)(none) == "Nothing: there are none."


def test_no_advice_speaks_of_a_test_that_an_audit_does_not_make() -> None:
    fixed = [
        entry.advise for stage in AUDIT_OUTLINE for entry in stage.entries if isinstance(entry.advise, str)
    ]
    assert fixed
    assert not [text for text in fixed if "below" in text or "background test" in text]


def test_a_tiny_share_is_said_as_a_bound() -> None:
    assert share_phrase(0.0137) == "1.4\u00a0%"
    assert share_phrase(0.0002) == "less than 0.1\u00a0%"
