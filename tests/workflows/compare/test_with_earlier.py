"""A run on cleaned data beside the run before: the same images, two sets of test labels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.errors import DeepSightError
from deepsight.core.image_table import image_table
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.core.schemas.json_files import ComparedWith
from deepsight.obtain import load_dataset
from deepsight.workflows.apply_decisions import apply_decisions
from deepsight.workflows.compare.same_images import rows_of_equal_names, shared_test, stored_names
from deepsight.workflows.compare.with_earlier import compare_with_earlier

CLASSES = ("ant", "bee", "cow")
N = 240


def made(folder: Path, data: str, *, errors: int, seed: int, plan: StudyPlan | None = None) -> Run:
    """A run on this data whose model errs on so many of the test images."""
    got = load_dataset(data)
    run = Run.create(folder, StudyConfig(data=data, plan=plan).stored())
    run.save_json("data.json", got.record)
    run.save_images(image_table(got.named(), got.digests))
    run.save_json("model.json", {"classes": list(got.test.classes), "architecture": "resnet18"})
    rng = np.random.default_rng(seed)
    said = got.test.labels.copy()
    wrong = rng.permutation(len(said))[:errors]
    said[wrong] = (said[wrong] + 1) % 3
    logits = 9 * np.eye(3, dtype=np.float32)[said]
    run.save_predictions(
        "test", Predictions(got.test.ids, got.test.labels, logits, np.zeros((len(said), 0), np.float16))
    )
    scores = {"macro_f1": 0.9, "macro_f1_ci95": [0.8, 0.95], "accuracy": 0.9}
    run.save_json("metrics.json", {**scores, "mva": 0.65, "mva_passed": True, "n_test": len(said)})
    run.commit("interpret")
    return run


@pytest.fixture
def first(tmp_path: Path) -> Run:
    """A run on images that differ from each other."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N + 30, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(N + 30) % 3
    np.savez(
        tmp_path / "rows.npz", images=images[:30], labels=labels[:30], test_images=images[30:],
        test_labels=labels[30:], classes=np.array(CLASSES),
    )  # fmt: skip
    return made(tmp_path / "first", f"arrays:{tmp_path / 'rows.npz'}", errors=60, seed=1)


def cleaned(first: Run, folder: Path, *decisions: Decision) -> str:
    write_decisions(folder / "decisions.csv", decisions)
    return apply_decisions(first.path, folder / "decisions.csv", folder / "clean").data


@pytest.mark.slow
def test_without_changed_test_labels_there_is_one_paired_difference(first: Run, tmp_path: Path) -> None:
    data = cleaned(first, tmp_path, Decision("", 3, "train", "ant", "relabel", "bee"))
    later = made(tmp_path / "later", data, errors=20, seed=2)
    noted = compare_with_earlier(later.path, first.path)
    before, after = first.predictions("test"), later.predictions("test")
    scores = [f1_score(p.labels, p.predicted, average="macro") for p in (before, after)]
    of_now = noted["labels_of_this_run"]
    assert [of_now["macro_f1_before"], of_now["macro_f1_after"]] == pytest.approx(scores)
    assert of_now["difference"] == pytest.approx(scores[1] - scores[0])
    assert (noted["n"], noted["relabelled"], noted["left_out"], noted["added"]) == (N, 0, 0, 0)
    assert "labels_of_the_earlier_run" not in noted
    assert Run.open(later.path).metrics()["compared_with"] == noted
    table = Run.open(later.path).evidence()["compared_with"]
    assert table.caption.startswith("Macro-F1 rose by")
    assert "paired" in table.caption


def test_trainings_that_differ_are_named(first: Run, tmp_path: Path) -> None:
    data = cleaned(first, tmp_path, Decision("", 3, "train", "ant", "relabel", "bee"))
    plan = StudyPlan(
        backbone="resnet18", train_rows=30, recipe=Recipe(resolution=64, epochs=2, views=1),
        degradation_images=5, context_objects=5, faithfulness_images=1,
    )  # fmt: skip
    other = plan.model_copy(update={"train_rows": 20, "recipe": replace(plan.recipe, epochs=1)})
    before = made(tmp_path / "before", first.study()["data"], errors=60, seed=1, plan=plan)
    captions = {}
    for name, later_plan in (("same", plan), ("other", other)):
        later = made(tmp_path / name, data, errors=20, seed=2, plan=later_plan)
        compare_with_earlier(later.path, before.path)
        captions[name] = Run.open(later.path).evidence()["compared_with"].caption
    assert "The trainings differ" not in captions["same"]
    assert "The trainings differ too (training images 30 and 20, epochs 2" in captions["other"]
    assert captions["other"].endswith(f"--config {before.path}/study.yaml would repeat the earlier one.")


def test_changed_test_labels_give_two_numbers_for_each_model(first: Run, tmp_path: Path) -> None:
    changed = [Decision("", i, "test", CLASSES[i % 3], "relabel", CLASSES[(i + 1) % 3]) for i in range(12)]
    gone = [Decision("", i, "test", CLASSES[i % 3], "remove", CLASSES[i % 3]) for i in range(20, 25)]
    later = made(tmp_path / "later", cleaned(first, tmp_path, *changed, *gone), errors=30, seed=2)
    noted = compare_with_earlier(later.path, first.path)
    assert ComparedWith.model_validate_json(json.dumps(noted)).model_dump(mode="json") == json.loads(
        json.dumps(noted)
    )
    assert (noted["n"], noted["relabelled"], noted["left_out"]) == (N - 5, 12, 5)
    kept = np.setdiff1d(np.arange(N), np.arange(20, 25))
    old, new = first.predictions("test"), later.predictions("test")
    said = {"before": old.predicted[kept], "after": new.predicted}
    labels = {"labels_of_this_run": new.labels, "labels_of_the_earlier_run": old.labels[kept]}
    for which, given in labels.items():
        for when, predicted in said.items():
            by_hand = f1_score(given, predicted, average="macro")
            assert noted[which][f"macro_f1_{when}"] == pytest.approx(by_hand)
    frame = Run.open(later.path).evidence()["compared_with"].frame.filter(score="accuracy")
    assert frame["before"].to_list() == pytest.approx(
        [accuracy_score(given, said["before"]) for given in labels.values()]
    )
    caption = Run.open(later.path).evidence()["compared_with"].caption
    assert "12 test labels changed" in caption
    assert "5 images are in the earlier test set only" in caption


def test_images_are_matched_by_their_pixels_where_a_run_knows_no_files(first: Run, tmp_path: Path) -> None:
    later = made(tmp_path / "later", first.study()["data"], errors=60, seed=1)
    first.file("images.parquet").unlink()
    first.commit("interpret")
    noted = compare_with_earlier(later.path, first.path)
    assert noted["n"] == N
    assert noted["labels_of_this_run"]["difference"] == 0
    assert "No change of macro-F1 is shown" in later.evidence()["compared_with"].caption


def test_equal_images_are_paired_in_their_order() -> None:
    old, new = rows_of_equal_names(["a", "b", "a", "c"], ["a", "a", "a", "d", "b"])
    assert (old.tolist(), new.tolist()) == ([0, 2, 1], [0, 1, 4])


@pytest.mark.slow
def test_other_classes_and_other_images_are_refused(first: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name, classes in (("images", CLASSES), ("classes", ("ant", "bee", "dog"))):
        np.savez(
            tmp_path / f"{name}.npz", images=rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8),
            labels=np.arange(60) % 3, classes=np.array(classes),
        )  # fmt: skip
        later = made(tmp_path / name, f"arrays:{tmp_path / name}.npz", errors=2, seed=1)
        words = "found none" if name == "images" else "differ in cow, dog"
        with pytest.raises(DeepSightError, match=words):
            compare_with_earlier(later.path, first.path)


def test_an_examined_training_part_is_matched_by_its_own_images(first: Run, tmp_path: Path) -> None:
    """The predictions of the second run are of the training images, which share no pixel with test."""
    got = load_dataset(first.study()["data"])
    run = made(tmp_path / "trained", first.study()["data"], errors=0, seed=1)
    run.save_json("data.json", {**got.record, "examined": {"split": "train", "n": len(got.train)}})
    run.save_predictions(
        "test", Predictions(got.train.ids, got.train.labels, np.eye(3, dtype=np.float32)[got.train.labels],
                            np.zeros((len(got.train), 0), np.float16)),
    )  # fmt: skip
    run.commit("interpret")
    names = stored_names(run, run.predictions("test"))
    images = image_table(got.named(), got.digests).filter(split="train")
    assert names == images["digest"].to_list()
    with pytest.raises(DeepSightError, match="found none"):
        shared_test(first, run)
