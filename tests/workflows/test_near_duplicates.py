"""When a study searches all official images for near-duplicates, and what its plan sets aside for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deepsight.workflows import near_duplicates
from deepsight.workflows.near_duplicates import (
    duplicate_seconds,
    known_duplicates,
    search_seconds,
    searches_all,
)


def study_of(images: int, minutes: float, said: list[str] | None = None) -> Any:
    obtained = SimpleNamespace(
        named=lambda: {"train": range(images - images // 6), "test": range(images // 6)}
    )
    return SimpleNamespace(
        obtained=obtained, study=SimpleNamespace(minutes=minutes), search_key="key",
        log=(said if said is not None else []).append,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("images", "minutes", "all_"), [(60_000, 10, True), (60_000, 5, False), (600, 0.1, True)]
)
def test_a_search_over_all_images_must_be_a_small_part_of_the_minutes(
    images: int, minutes: float, all_: bool
) -> None:
    assert searches_all(study_of(images, minutes)) is all_


def test_a_study_that_compares_only_its_own_images_says_so() -> None:
    said: list[str] = []
    assert known_duplicates(study_of(60_000, 1, said)) is None
    assert "the images of this study only; with more --minutes it covers all 60,000" in said[0]


def test_the_plan_pays_for_the_first_search_and_not_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(near_duplicates, "cache_folder", lambda: tmp_path)
    study = study_of(60_000, 10)
    assert search_seconds(study, 2.0, 20_000) == pytest.approx(2 * duplicate_seconds(60_000))
    stored = tmp_path / "duplicates" / "key"
    monkeypatch.setattr(near_duplicates, "is_stored", lambda folder: folder == stored)
    assert search_seconds(study, 2.0, 20_000) == 0
    assert search_seconds(study_of(60_000, 1), 2.0, 20_000) == pytest.approx(2 * duplicate_seconds(20_000))
