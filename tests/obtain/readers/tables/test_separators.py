"""Tables with two separators: every row is read, or the lines are named."""

from pathlib import Path

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.obtain.readers.tables.table_file import read_table_file

ROWS = [["a.png", "cat", "train"], ["b.png", "dog", "test"], ["c, d.png", "owl", "test"]]


def table(folder: Path, text: str, name: str = "t.csv") -> list[list[object]]:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return [list(row) for row in read_table_file(folder / name).frame.rows()]


@pytest.mark.parametrize("feed", ["\n", "\r\n"])
@pytest.mark.parametrize(("first", "other"), [(",", ";"), (",", "\t"), (";", "|"), ("\t", ",")])
def test_lines_with_another_separator_are_read(tmp_path: Path, first: str, other: str, feed: str) -> None:
    quoted = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in ROWS]
    head = ["path", "label", "split"]
    lines = [first.join(head), first.join(quoted[0]), *(other.join(row) for row in (head, *quoted[1:]))]
    assert table(tmp_path, feed.join(lines)) == ROWS


def test_a_tsv_may_have_commas(tmp_path: Path) -> None:
    assert table(tmp_path, "path,label\na.png,cat\n", "t.tsv") == [["a.png", "cat"]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b.png;dog", r"line 5 \('b.png;dog'\) seems"),  # the split is missing
        ("b,1.png;dog;test", r"line 5 \('b,1.png;dog;test'\) seems"),
        ("b.png\tdog|test;x\n" * 5, r"line 5 .*, 6 .*, 7 .* and 2 more seems .* Write all lines with commas"),
    ],
)
def test_lines_that_cannot_be_told_apart_are_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DeepSightError, match=said):
        table(tmp_path, f"# from the camera\npath,label,split\na.png,cat,train\n\n{line}")


def test_other_separators_inside_cells_stay(tmp_path: Path) -> None:
    text = 'path\tlabel\tnote\na;1.png\tcat\thello, you\nb|2.png\tdog\t"two\nlines, both;"\nc.png\tcat\n'
    assert table(tmp_path, text) == [
        ["a;1.png", "cat", "hello, you"], ["b|2.png", "dog", "two\nlines, both;"], ["c.png", "cat", None],
    ]  # fmt: skip
