"""The images of the page carry what the tables say of them."""

from dataclasses import replace

import pytest

from deepsight.core.evidence import Evidence, maps_refusal
from deepsight.report import galleries
from deepsight.report.embedded_images import Pictures
from deepsight.report.run_data import RunData
from made_run import made


def with_table(study: RunData, **tables) -> RunData:
    return replace(study, evidence=Evidence({**study.evidence, **tables}))


@pytest.fixture
def pictures(study: RunData) -> Pictures:
    return Pictures(study.path)


def test_errors_stand_in_the_order_of_their_tiles(study: RunData, pictures: Pictures):
    found = galleries.error_gallery(study, pictures)
    assert found is not None
    assert [record["index"] for record in found["records"]] == study.evidence["errors"].frame[
        "index"
    ].to_list()
    assert found["sheet"] in pictures.addresses


def test_an_error_carries_its_cause_suggestion_and_map(study: RunData, pictures: Pictures):
    first = galleries.error_gallery(study, pictures)["records"][0]
    cause = study.evidence["ledger"].frame.filter(index=first["index"])["cause"][0]
    assert first["cause"] == cause
    assert first["suggested"] == first["predicted"]
    assert first["map"] in pictures.addresses


def test_what_is_not_flagged_is_not_suggested(study: RunData):
    flagged = study.evidence["label_errors"].frame.filter(flagged=True)
    assert set(galleries.suggested_labels(study)) == set(flagged["index"])


def test_maps_that_failed_are_refused_everywhere(study: RunData, pictures: Pictures):
    rows = study.rows("faithfulness")
    rows[1]["passed"] = False
    failed = with_table(study, faithfulness=made(rows, 500, "These maps are refused: one check fails."))
    assert maps_refusal(failed.evidence) == "These maps are refused: one check fails."
    assert galleries.map_gallery(failed, pictures) == []
    assert not any("map" in record for record in galleries.error_gallery(failed, pictures)["records"])


def test_maps_that_passed_are_shown(study: RunData, pictures: Pictures):
    assert maps_refusal(study.evidence) is None
    assert len(galleries.map_gallery(study, pictures)) == study.evidence["attribution"].frame.height


def test_both_images_of_a_pair_carry_their_given_label(study: RunData, pictures: Pictures):
    pair = galleries.duplicate_gallery(study, pictures)["records"][0]
    for end in "ab":
        named = study.given.filter(split=pair[f"split_{end}"], index=pair[f"index_{end}"])["class"]
        assert [pair[f"given_{end}"]] == named.to_list()


def test_outliers_stand_in_the_order_of_their_tiles(study: RunData, pictures: Pictures):
    found = galleries.outlier_gallery(study, pictures)
    assert [row["index"] for row in found["records"]] == study.evidence["outliers"].frame["index"].to_list()
    assert found["sheet"] in pictures.addresses


def test_the_digest_tells_runs_apart(study: RunData):
    errors = study.evidence["errors"]
    fewer = replace(errors, frame=errors.frame.head(3))
    assert study.digest == replace(study).digest
    assert study.digest != with_table(study, errors=fewer).digest
    assert study.digest != replace(study, data={"digests": {"test": "0"}}).digest


def test_looks_join_mean_image_and_appearance(study: RunData):
    shown = galleries.class_looks(study)
    assert [look["class"] for look in shown] == study.evidence["mean_images"].frame["class"].unique(
        maintain_order=True
    ).to_list()
    assert all(0 <= look["brightness"] <= 1 for look in shown)


def test_ambiguous_errors_are_errors_most_doubtful_first(study: RunData):
    found = galleries.ambiguous_errors(study, limit=5)
    doubts = study.evidence["ambiguity"].frame.sort("score", descending=True)["index"]
    assert found == doubts.head(5).to_list()
    assert set(found) <= set(study.evidence["errors"].frame["index"])


def test_without_tables_there_are_no_images(study: RunData, pictures: Pictures):
    nothing = galleries.gallery_data(replace(study, evidence=Evidence()), pictures)
    assert (nothing["errors"], nothing["labels"], nothing["duplicates"], nothing["maps"]) == (
        None,
        None,
        None,
        [],
    )


def test_an_error_carries_the_training_images_behind_it(study: RunData):
    rows = [
        {"index": 7, "train_index": 30, "train_label": "cat", "mended": True, "tile": 0},
        {"index": 7, "train_index": 31, "train_label": "dog", "mended": True, "tile": None},
    ]
    found = galleries.influence_by_row(with_table(study, influence=made(rows, 1, "Made.")))
    assert found == {7: {"behind": [{"tile": 0, "index": 30, "label": "cat"}], "mended": True}}
    assert galleries.influence_by_row(study) == {}
