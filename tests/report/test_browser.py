"""The report in a real browser: it opens from disk without a network, and every control does what it says."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deepsight.core.decisions import Decision, read_decisions, write_decisions
from deepsight.report.run_data import RunData

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60_000  # milliseconds; a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


class Visit:
    """An open report, what it complained about, and what it tried to fetch."""

    def __init__(self, browser: Browser, report: Path, fragment: str = "", **options: object) -> None:
        self.context = browser.new_context(
            accept_downloads=True, **{"viewport": {"width": 1280, "height": 900}} | options
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri() + fragment)


@pytest.fixture
def visit(browser: Browser, report: Path):
    opened: list[Visit] = []

    def go(fragment: str = "", **options: object) -> Visit:
        opened.append(Visit(browser, report, fragment, **options))
        return opened[-1]

    yield go
    for each in opened:
        each.context.close()


def test_it_opens_without_a_network_and_without_complaint(visit):
    seen = visit(offline=True)
    assert seen.complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in seen.requests)


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (400, "narrow")])
def test_every_figure_is_drawn_once_and_fits_even_without_javascript(visit, width: int, shown: str):
    page = visit(viewport={"width": width, "height": 900}, java_script_enabled=False).page
    charts = page.locator(".chart").all()
    assert len(charts) > 10
    for chart in charts:
        drawings = chart.locator("> svg")
        assert [d.get_attribute("class") for d in drawings.all() if d.is_visible()] == [shown]
        box = chart.locator(f"> svg.{shown}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_a_cell_of_the_matrix_opens_its_images(visit, study: RunData):
    page = visit().page
    cell = page.locator("#matrix a[aria-label*='of cat predicted as dog']")
    count = int(cell.inner_text())
    cell.click()
    expect(page.locator("#shown")).to_have_text(
        f"{count} of {study.evidence['errors'].frame.height:,} errors."
    )
    assert page.url.endswith("#errors?true=cat&predicted=dog")
    assert page.locator("#tiles li").count() == count
    assert all(words.startswith("cat → dog") for words in page.locator("#tiles li p").all_inner_texts())


def test_a_view_has_an_address(visit, study: RunData):
    ledger = study.evidence["ledger"].frame
    page = visit("#errors?cause=label+error&sort=least").page
    assert page.locator("#tiles li").count() == ledger.filter(cause="label error").height
    assert page.locator("#filters select[name=cause]").input_value() == "label error"
    shown = [
        float(text.split("\n")[1].removesuffix(" %"))
        for text in page.locator("#tiles li p").all_inner_texts()
    ]
    assert shown == sorted(shown)


def test_filters_narrow_and_clear(visit, study: RunData):
    page = visit("#errors").page
    total = study.evidence["errors"].frame.height
    page.locator("#filters input[name=least]").fill("0.6")
    few = (
        study.evidence["errors"]
        .frame.filter(study.evidence["errors"].frame["confidence"].round(4) >= 0.6)
        .height
    )
    expect(page.locator("#shown")).to_have_text(f"{few} of {total} errors.")
    page.locator("#filters button[type=reset]").click()
    expect(page.locator("#shown")).to_have_text(f"All {total} errors.")


def test_an_image_opens_with_its_facts_and_keys_move_on(visit, study: RunData):
    page = visit("#errors").page
    first, second = study.evidence["errors"].frame.head(2).to_dicts()
    page.locator("#tiles li button").first.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_contain_text(str(first["index"]))
    expect(viewer).to_contain_text(study.evidence["ledger"].frame.filter(index=first["index"])["cause"][0])
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("dd").first).to_have_text(str(second["index"]))
    assert f"image={second['index']}" in page.url
    viewer.get_by_text("Previous").click()
    expect(viewer.locator("dd").first).to_have_text(str(first["index"]))
    page.keyboard.press("ArrowRight")  # keys go on after a click
    expect(viewer.locator("dd").first).to_have_text(str(second["index"]))
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()
    assert "image=" not in page.url


def test_the_view_can_be_sorted_by_cause_and_class(visit):
    page = visit("#errors?sort=cause").page
    causes = [words.split("\n")[2] for words in page.locator("#tiles li p").all_inner_texts()]
    assert len(set(causes)) > 1
    assert causes == sorted(causes)
    page.locator("#filters select[name=sort]").select_option("true")
    assert "sort=true" in page.url
    classes = [words.split(" → ")[0] for words in page.locator("#tiles li p").all_inner_texts()]
    assert classes == sorted(classes)


def test_images_with_a_map_come_first_when_maps_are_on(visit, study: RunData):
    mapped = study.evidence["attribution"].frame.height
    page = visit("#errors?maps=1&sort=least").page
    expect(page.locator("#shown")).to_contain_text(f"The {mapped} with a map are shown first.")
    page.locator("#tiles li button").nth(mapped - 1).click()
    expect(page.locator("#viewer img")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer canvas")).to_be_visible()


def test_long_lists_are_shown_piece_by_piece(visit, study: RunData):
    page = visit("#label_errors").page
    candidates = page.locator("#candidates li")
    flagged = study.evidence["label_errors"].frame.filter(flagged=True).height
    first = candidates.count()
    assert 0 < first < flagged
    while page.locator("#more-candidates").is_visible():
        page.locator("#more-candidates").click()
    assert candidates.count() == flagged


def test_a_further_picture_of_a_finding_is_loaded(visit):
    page = visit("#context").page
    picture = page.locator("#context .picture img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#context .picture img').naturalWidth > 0")
    assert picture.get_attribute("alt")


PIXELS = "document.querySelector('#tiles canvas').toDataURL()"
EMPTY = "(c => { c.width = c.height = 128; return c.toDataURL(); })(document.createElement('canvas'))"


def pixels_other_than(page: Page, *others: str) -> str:
    """The first thumbnail as soon as it is drawn and differs from these."""
    page.wait_for_function(f"others => ![...others, {EMPTY}].includes({PIXELS})", arg=list(others))
    return page.evaluate(PIXELS)


def test_maps_turn_on_and_off(visit):
    page = visit("#errors").page
    image = pixels_other_than(page)
    page.locator("#filters input[name=maps]").check()
    map_picture = pixels_other_than(page, image)
    page.locator("#tiles li button").first.click()
    expect(page.locator("#viewer img")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator("#viewer canvas")).to_be_visible()
    page.locator("#viewer").get_by_text("Show the map").click()
    expect(page.locator("#viewer img")).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.press("Escape")
    assert pixels_other_than(page, map_picture) == image


def test_arrow_keys_move_through_the_matrix_and_enter_opens(visit):
    page = visit().page
    page.locator("#matrix a").first.focus()
    start = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    moved = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert moved != start
    page.keyboard.press("Enter")
    expect(page.locator("#shown")).to_contain_text(moved.split()[0])


def exported(page: Page, path: Path) -> dict[tuple[str, int], Decision]:
    """The decisions that the page exports, as `deepsight apply` reads them, by image."""
    with page.expect_download() as download:
        page.locator("#export-decisions").click()
    download.value.save_as(path)
    return {(one.split, one.id): one for one in read_decisions(path)}


def test_one_key_decides_and_goes_on_and_survives_a_reload(visit, tmp_path: Path, study: RunData):
    page = visit("#label_errors").page
    suspects = study.evidence["label_errors"].frame.filter(flagged=True).head(4).to_dicts()
    page.locator("#who").fill("Ada")
    page.locator("#candidates .open").first.click()
    viewer = page.locator("#viewer")
    for key, row in zip("rkxu", suspects, strict=True):
        expect(viewer.locator("dl")).to_contain_text(f"test {row['index']}")
        page.keyboard.press(key)
    expect(viewer).to_contain_text("5 of 40, 4 decided")
    page.reload()
    expect(page.locator("#decided")).to_have_text("4 decided: 1 keep, 1 relabel, 1 remove, 1 unsure.")
    expect(page.locator("#candidates li").first.locator(".badge")).to_have_text(
        f"→ {suspects[0]['suggested']}"
    )
    found = exported(page, tmp_path / "decisions.csv")
    assert [found["test", row["index"]].decision for row in suspects] == [
        "relabel", "keep", "remove", "unsure"
    ]  # fmt: skip
    first = found["test", suspects[0]["index"]]
    assert (first.given, first.label, first.who) == (suspects[0]["given"], suspects[0]["suggested"], "Ada")
    assert datetime.fromisoformat(first.when).tzinfo is not None
    header = (tmp_path / "decisions.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "file,id,split,given,decision,label,who,when"


def test_errors_near_duplicates_and_outliers_are_decided_alike(visit, tmp_path: Path, study: RunData):
    page = visit("#errors").page
    error = study.evidence["errors"].frame.row(0, named=True)
    page.locator("#tiles .open").first.click()
    page.locator("#viewer select").select_option("ship" if error["predicted"] != "ship" else "frog")
    label = page.locator("#viewer select").input_value()
    page.locator("#viewer select").press("Enter")
    page.keyboard.press("Escape")
    pair = study.evidence["duplicates"].frame.sort("score", descending=True).row(0, named=True)
    page.locator("#near-duplicates .open").nth(1).click()
    expect(page.locator("#viewer .meant")).to_have_attribute("aria-label", f"test {pair['index_b']}")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.locator("#outlier-tiles .open").first.click()
    page.keyboard.press("u")
    page.keyboard.press("Escape")
    found = exported(page, tmp_path / "d.csv")
    assert (found["test", error["index"]].decision, found["test", error["index"]].label) == ("relabel", label)
    assert found["test", pair["index_b"]].decision == "remove"
    far = study.evidence["outliers"].frame["index"][0]
    assert found["test", far].decision == "unsure"
    assert len(found) == 3


def test_decisions_are_read_back_and_what_is_wrong_is_said(visit, tmp_path: Path, study: RunData):
    page = visit().page
    suspects = study.evidence["label_errors"].frame.filter(flagged=True).head(3).to_dicts()
    right = [
        Decision("", row["index"], "test", row["given"], "remove", row["given"], '=Ada, "the reader"')
        for row in suspects[:2]
    ]
    write_decisions(tmp_path / "in.csv", right)
    with (tmp_path / "in.csv").open("a", encoding="utf-8") as file:
        file.write(f",{suspects[2]['index']},test,no such class,keep,,,\n,7,test,cat,kep,,,\n")
    page.locator("#import-decisions").set_input_files(tmp_path / "in.csv")
    said = page.locator("#imported")
    expect(said).to_contain_text("2 decisions read from in.csv.")
    expect(said).to_contain_text("Line 4: the label of test")
    expect(said).to_contain_text("Line 5: “kep” is not a decision.")
    assert list(exported(page, tmp_path / "out.csv").values()) == right
    page.locator("#decision-rows button").first.click()
    expect(page.locator("#decided")).to_have_text("1 decided: 1 remove.")


def test_the_viewer_can_be_worked_by_keyboard_alone(visit):
    page = visit("#label_errors").page
    page.locator("#candidates .open").first.focus()
    page.keyboard.press("Enter")
    keep = page.get_by_role("button", name="Keep K")
    page.keyboard.press("Tab")
    expect(keep).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(keep).to_be_focused()  # the next image has a button of its own, which takes the focus
    expect(keep).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowLeft")
    expect(keep).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Backspace")
    expect(keep).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("group", name="Your decision")).to_be_visible()
    expect(page.locator("#viewer [role=status]")).to_have_text("1 of 40, 0 decided")


def test_a_decision_can_be_taken_back_with_the_mouse(visit):
    page = visit("#label_errors").page
    page.locator("#candidates .open").first.click()
    back = page.get_by_role("button", name="Take back")
    expect(back).to_have_count(0)  # there is nothing to take back yet
    page.keyboard.press("x")
    page.keyboard.press("ArrowLeft")
    back.click()
    expect(page.locator("#viewer [role=status]")).to_have_text("1 of 40, 0 decided")
    expect(back).to_have_count(0)


def test_another_run_has_decisions_of_its_own(browser: Browser, report: Path, tmp_path: Path):
    other = tmp_path / "other.html"
    text = report.read_text(encoding="utf-8")
    digest = re.search(r'"digest": "([0-9a-f]{16})"', text)
    assert digest
    other.write_text(text.replace(digest[1], "0" * 16), encoding="utf-8")
    seen = Visit(browser, report, "#errors")
    seen.page.locator("#tiles .open").first.click()
    seen.page.keyboard.press("k")
    seen.page.goto(other.as_uri())
    expect(seen.page.locator("#decided")).to_have_text("Nothing decided yet.")
    seen.page.goto(report.as_uri())
    expect(seen.page.locator("#decided")).to_contain_text("1 decided")
    seen.context.close()


def test_a_table_downloads_as_csv(visit, tmp_path: Path, study: RunData):
    page = visit("#recall").page
    with page.expect_download() as download:
        page.locator("#recall [data-csv=recall]").click()
    download.value.save_as(tmp_path / "recall.csv")
    rows = list(csv.DictReader((tmp_path / "recall.csv").open(encoding="utf-8")))
    stored = study.evidence["recall"].frame
    assert [float(row["recall"]) for row in rows] == pytest.approx(stored["recall"].to_list())


def test_an_example_of_a_slice_opens_as_an_image(visit):
    page = visit("#slices").page
    link = page.locator("#slices [data-strip] a").first
    index = link.get_attribute("href").split("=")[1]
    link.click()
    expect(page.locator("#viewer dd").first).to_have_text(index)


def colours(page: Page) -> list[str]:
    """Of the page's text and of the first dot of a figure."""
    dot = "getComputedStyle(document.querySelector('#chart-recall .series')).color"
    return page.evaluate(f"[getComputedStyle(document.body).color, {dot}]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(visit, scheme: str):
    page = visit(color_scheme=scheme).page
    first = colours(page)
    page.locator("#theme").click()
    assert all(now != before for now, before in zip(colours(page), first, strict=True))
    page.locator("#theme").click()
    assert colours(page) == first


@pytest.mark.parametrize("width", [400, 1280])
def test_no_width_needs_sideways_scrolling(visit, width: int):
    page = visit(viewport={"width": width, "height": 800}).page
    page.locator("#candidates .open").first.click()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    expect(page.locator("#decision-list")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_it_prints_light_with_all_figures(visit):
    page = visit(color_scheme="dark").page
    assert page.pdf(print_background=True).startswith(b"%PDF")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert all(chart.locator("> svg.wide").is_visible() for chart in page.locator(".chart").all())


def test_an_interrupted_run_opens_without_complaint(browser: Browser, bare):
    from deepsight.report.html import render

    seen = Visit(browser, render(bare))
    expect(seen.page.locator("h1")).to_contain_text("no score yet")
    assert seen.complaints == []
    seen.context.close()
