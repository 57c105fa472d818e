"""Decisions survive the way to a CSV and back, and a wrong one is refused with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.core.decisions import VERDICTS, Decision, read_decisions, write_decisions
from deepsight.core.errors import UsageError

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8).map(str.strip)


@st.composite
def decisions(draw) -> list[Decision]:
    ids = draw(st.lists(st.integers(0, 99), unique=True, max_size=5))
    verdicts = [draw(st.sampled_from(VERDICTS)) for _ in ids]
    return [
        Decision(draw(WORDS), i, draw(st.sampled_from(["train", "val", "test"])), "cat", verdict,
                 "dog, wild" if verdict == "relabel" else "cat", draw(WORDS), "2026-11-29T12:00:00Z")
        for i, verdict in zip(ids, verdicts, strict=True)
    ]  # fmt: skip


@pytest.mark.slow
@given(decisions())
def test_what_is_written_is_read(tmp_path_factory, made) -> None:
    path = tmp_path_factory.mktemp("d") / "decisions.csv"
    write_decisions(path, made)
    assert list(read_decisions(path)) == made


def test_the_file_of_an_earlier_report_is_read(tmp_path) -> None:
    path = tmp_path / "label_decisions.csv"
    path.write_text(
        "split,index,given,suggested,score,decision\n"
        "test,3,cat,dog,0.9,relabel\ntest,4,cat,dog,0.8,keep\ntest,5,cat,dog,0.7,\n",
        encoding="utf-8",
    )
    first, second = read_decisions(path)
    assert (first.id, first.decision, first.label) == (3, "relabel", "dog")
    assert (second.id, second.decision, second.label) == (4, "keep", "cat")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("test,3,cat,relabl,dog", "Line 2 .*did you mean 'relabel'"),
        ("test,x,cat,keep,cat", "Line 2 .*id as a whole number of at least 0, received 'x'"),
        ("tset,3,cat,keep,cat", "Line 2 .*'tset'"),
        ("test,3,cat,relabel,cat", "another label if and only if"),
        ("test,3,cat,keep,cat\ntest,3,cat,remove,cat", "one decision per image"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, rows, words) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(f"split,id,given,decision,label\n{rows}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        read_decisions(path)


def test_another_file_is_refused(tmp_path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="id, split, given, decision are missing"):
        read_decisions(path)
    with pytest.raises(UsageError, match="found no such file"):
        read_decisions(tmp_path / "absent.csv")


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (";", "cp1252")])
def test_a_spreadsheet_may_have_saved_it(tmp_path, separator, encoding) -> None:
    path = tmp_path / "decisions.csv"
    lines = ["file,id,split,given,decision,label", "ä.png,3,test,Katze,relabel,Kätzchen"]
    path.write_text("\n".join(lines).replace(",", separator), encoding=encoding)
    said: list[object] = []
    (one,) = read_decisions(path, log=said.append)
    assert (one.file, one.id, one.label) == ("ä.png", 3, "Kätzchen")
    assert len(said) == (encoding == "cp1252")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path, ends: str) -> None:
    path = tmp_path / "label_decisions.csv"
    text = "split,index,given,suggested,score,decision\ntest,3,cat,dog,0.9,relabel\n"
    path.write_bytes(text.replace("\n", ends).encode())
    assert [(one.id, one.label) for one in read_decisions(path)] == [(3, "dog")]


def test_what_no_reader_of_csv_takes_is_refused_with_a_sentence(tmp_path) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(b'id,split,given,decision\n1,"' + b"x" * 200_000 + b'",cat,keep\n')
    with pytest.raises(UsageError, match="cannot be read: field larger"):
        read_decisions(path)
