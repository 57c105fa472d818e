"""The comparison in a real browser: opened from disk, in both widths, with its downloads."""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import sync_playwright

import made_run
from deepsight.core.dataset import Dataset
from deepsight.workflows.compare.many_runs import compare_many

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60_000  # milliseconds
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


def test_the_page_fits_both_widths_and_gives_its_tables(
    tmp_path: Path, cifar10: tuple[Dataset, Dataset]
) -> None:
    train, test = (part.select(np.arange(100)) for part in cifar10)
    made = [made_run.make(tmp_path / name, train, test, seed=i) for i, name in enumerate("abc")]
    tables = compare_many([run.path for run in made], tmp_path / "comparison.html")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((tmp_path / "comparison.html").as_uri())
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width
        with page.expect_download() as download:
            page.locator("[data-csv=differences]").click()
        download.value.save_as(tmp_path / "differences.csv")
        browser.close()
    assert complaints == []
    found = pl.read_csv(tmp_path / "differences.csv")
    assert found["difference"].to_list() == pytest.approx(tables["differences"].frame["difference"].to_list())
