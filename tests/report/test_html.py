"""The file as a whole: self-contained, small enough, safe, and whole for any state of the run."""

import base64
import gzip
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.run import Run
from deepsight.report import html
from deepsight.report.formatting import prose_markup
from deepsight.report.sections import OUTLINE
from made_run import made

QUESTIONS = [entry for stage in OUTLINE for entry in stage.entries]


class Page(HTMLParser):
    """The elements of a page, and the addresses that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.images_without_words = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "img":
            self.images_without_words += not found.get("alt")
        if tag in {"script", "img", "link", "iframe", "source"}:
            self.addresses += [str(found[name]) for name in ("src", "href") if found.get(name)]


@pytest.fixture(scope="module")
def text(report: Path) -> str:
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_nothing_is_fetched(page: Page):
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)


def test_the_file_is_at_most_fifteen_megabytes(report: Path):
    assert report.stat().st_size <= 15_000_000


def rendered_apart(run: Run, report: Path) -> str:
    """The page as it would be written now; the report, which other tests read, stays as it was."""
    before = report.read_bytes()
    text = html.render(run).read_text(encoding="utf-8")
    report.write_bytes(before)
    return text


def test_pictures_give_way_where_the_tables_take_the_room(
    complete: Run, report: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(html, "BUDGET", 1000)
    text = rendered_apart(complete, report)
    assert "pictures did not fit into this file" in text
    assert '"pictures": {}' in text


def test_tables_of_very_many_images_are_packed_in_part(
    complete: Run, report: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(html, "MOST_IMAGES", 20)
    text = rendered_apart(complete, report)
    frames = {name: table.frame for name, table in complete.evidence().items()}
    for name, rows in {"ambiguity": 20, "confusion": len(frames["confusion"])}.items():
        assert len(frames[name]) > 20
        assert unpacked(text, name).height == rows
    assert "The CSV file has 20; the folder evidence has them all." in text
    assert "The CSV file has 20; " not in report.read_text(encoding="utf-8")


def test_every_question_has_its_place_once(page: Page):
    assert [page.ids.count(entry.name) for entry in QUESTIONS] == [1] * len(QUESTIONS)
    assert len(page.ids) == len(set(page.ids))


def test_every_picture_has_words(page: Page):
    assert page.images_without_words == 0


def unpacked(text: str, name: str) -> pl.DataFrame:
    """A table as the page gives it to the reader."""
    packed = re.search(rf'id="csv-{name}">([^<]*)<', text)
    assert packed
    return pl.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(packed[1]))))


@pytest.mark.parametrize("name", ["confusion", "confusion_clusters", "ledger", "degradation"])
def test_tables_come_back_from_the_page_as_they_were(text: str, complete: Run, name: str):
    found = unpacked(text, name)
    stored = complete.evidence()[name].frame
    assert found.columns == stored.columns
    assert found.height == stored.height


def test_the_same_run_gives_the_same_file(complete: Run, report: Path):
    before = report.read_bytes()
    assert html.render(complete).read_bytes() == before


def test_an_interrupted_run_says_what_would_make_the_rest(bare: Run):
    text = html.render(bare).read_text(encoding="utf-8")
    for stage in OUTLINE:
        assert text.count(f"has not run yet. Run <code>deepsight {stage.command} {bare.path}") == 1


def test_a_question_without_its_table_says_what_would_make_it(complete: Run, tmp_path: Path):
    run = Run.create(tmp_path / "partial", complete.study())
    run.save_evidence(Evidence({"recall": complete.evidence()["recall"]}))
    text = html.render(run).read_text(encoding="utf-8")
    interpret = next(stage for stage in OUTLINE if stage.command == "interpret")
    asked = [entry for entry in interpret.entries if not entry.optional and entry.name != "recall"]
    assert text.count("Not available yet") == len(asked)


def test_what_could_not_be_examined_is_said_with_its_reason(complete: Run, tmp_path: Path):
    run = Run.create(tmp_path / "coarse", complete.study())
    reasons = [{"check": "maps", "reason": "Expected at least 4 cells a side, received 1."}]
    run.save_evidence(Evidence({"not_examined": made(reasons, 1, "1 check could not be made.")}))
    text = html.render(run).read_text(encoding="utf-8")
    said = "<strong>Not examined.</strong> Expected at least 4 cells a side, received 1."
    assert text.count(said) == 2  # where it looks, and whether the maps can be believed


def test_a_refused_family_of_maps_is_shown_as_refused_and_no_picture_of_it(complete: Run, tmp_path: Path):
    run = Run.create(tmp_path / "refused", complete.study())
    tables = {name: table for name, table in complete.evidence().items() if name != "context_pictures"}
    checks = tables["faithfulness"]
    failed = made_like(checks, checks.frame.with_columns(passed=pl.lit(False)))
    said = "Closed-form maps are refused: model randomisation leaves them as they were."
    tables["faithfulness"] = replace(failed, caption=said)
    run.save_evidence(Evidence(tables))
    for picture in (complete.path / "maps").iterdir():
        run.file(f"maps/{picture.name}").parent.mkdir(exist_ok=True)
        run.file(f"maps/{picture.name}").write_bytes(picture.read_bytes())
    text = html.render(run).read_text(encoding="utf-8")
    place = text[text.index('id="attribution"') : text.index('id="faithfulness"')]
    assert f"<strong>No maps are shown.</strong> {said}" in place
    assert 'id="maps"' not in text
    assert '"maps/test-' not in text


def test_no_name_of_a_table_is_shown_to_the_reader(text: str, complete: Run):
    shown = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    raw = {name for name in complete.evidence() if "_" in name}
    assert raw
    assert not [name for name in raw if re.search(rf"\b{name}\b", shown)]


def test_pictures_of_a_finding_stand_with_it(text: str):
    place = text[text.index('id="context"') : text.index('id="treat"')]
    assert "<figcaption>A bird on the sky of an airplane.</figcaption>" in place


@pytest.mark.parametrize("left_out", ["evidence/index.json", "metrics.json", "history.parquet", "model.json"])
def test_any_file_may_be_absent(complete: Run, tmp_path: Path, left_out: str):
    partial = Run.create(tmp_path / "partial", complete.study())
    for file in complete.path.rglob("*.*"):
        name = file.relative_to(complete.path).as_posix()
        if name not in {left_out, "report.html"} and not partial.has(name):
            partial.file(name).parent.mkdir(parents=True, exist_ok=True)
            partial.file(name).write_bytes(file.read_bytes())
    assert html.render(partial).read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.parametrize("entry", [entry for entry in QUESTIONS if entry.draw], ids=lambda entry: entry.name)
def test_a_table_without_rows_is_no_fault(complete: Run, tmp_path: Path, entry):
    run = Run.create(tmp_path / "empty", complete.study())
    table = complete.evidence()[entry.name]
    empty = made_like(table, table.frame.clear())
    run.save_evidence(Evidence({entry.name: empty}))
    assert str(prose_markup(table.caption)) in html.render(run).read_text(encoding="utf-8")


def made_like(table, frame: pl.DataFrame):
    return replace(table, frame=frame)


def test_names_of_classes_cannot_become_markup(bare: Run):
    evil = "</script><img src=x onerror=alert(1)>"
    rows = [{"true": a, "predicted": b, "count": 3, "rate": 0.5} for a in (evil, "ok") for b in (evil, "ok")]
    bare.save_evidence(Evidence({"confusion": made(rows, 12, f"About {evil}.")}))
    assert evil not in html.render(bare).read_text(encoding="utf-8")


def test_a_read_only_folder_is_said_in_a_sentence(bare: Run, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("deepsight.core.files.atomic.os.fsync", refuse)
    with pytest.raises(DeepSightError, match="Expected to write"):
        html.render(bare)
    assert not bare.has("report.html")
