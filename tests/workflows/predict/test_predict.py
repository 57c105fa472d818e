"""A prediction is the model's own, whatever the file's size and mode, with its map and nearest images."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import special
from sklearn.neighbors import NearestNeighbors

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.run import Run
from deepsight.model.predict import Predictor
from deepsight.workflows.predict import nearest_training as nearest_module
from deepsight.workflows.predict import predict as module
from deepsight.workflows.predict.nearest_training import nearest_training
from deepsight.workflows.predict.predict import predict
from deepsight.workflows.predict.predict_many import predict_many, rejection_sentences
from deepsight.workflows.study_context import Context
from small_study import first_rows


@pytest.fixture(scope="module")
def photos(cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first four test images of the study as files."""
    folder, images = tmp_path_factory.mktemp("photos"), first_rows(cifar10[1], 8).pixels(slice(0, 4))
    files = [folder / f"{number}.png" for number in range(4)]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    return files


@pytest.fixture(scope="module")
def unsure_run(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run as if validation had shown its model three times too sure."""
    folder = tmp_path_factory.mktemp("unsure") / "run"
    shutil.copytree(trained_run.path, folder)
    run, val = Run.open(folder), trained_run.predictions("val")
    run.save_predictions("val", replace(val, logits=3 * val.logits))
    run.commit("predict")
    assert best_temperature(run) > 2
    return run


def test_a_test_image_gets_the_answer_that_is_stored(unsure_run: Run, photos: list[Path]) -> None:
    rows = predict(unsure_run.path, photos, neighbours=0)
    stored, classes = unsure_run.predictions("test"), unsure_run.read_json("model.json")["classes"]
    calibrated = special.softmax(stored.logits[:4] / best_temperature(unsure_run), axis=1)
    for row, probabilities in zip(rows, calibrated, strict=True):
        given = [row["classes"][name] for name in classes]
        np.testing.assert_allclose(given, probabilities, atol=1e-4)
        assert row["confidence"] == max(given)
        assert row["label"] == classes[int(probabilities.argmax())]
        assert "nearest" not in row


def best_temperature(run: Run) -> float:
    """The temperature of the smallest loss on validation, from a fine grid."""
    val = run.predictions("val")
    grid = np.exp(np.linspace(np.log(0.02), np.log(50), 20_001))
    loss = [nll(val.logits, val.labels, t) for t in grid[::100]]
    near = int(np.argmin(loss)) * 100
    return float(min(grid[max(near - 100, 0) : near + 101], key=lambda t: nll(val.logits, val.labels, t)))


def nll(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """The mean negative log-likelihood, in nats."""
    said = special.log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(-said[np.arange(len(labels)), labels].mean())


def test_one_image_and_a_table_give_the_same_calibrated_probabilities(
    unsure_run: Run, photos: list[Path]
) -> None:
    rows = predict(unsure_run.path, photos, neighbours=0)
    frame = predict_many(unsure_run.path, [str(photo) for photo in photos])
    assert frame["label"].to_list() == [row["label"] for row in rows]
    assert frame["confidence"].to_list() == pytest.approx([row["confidence"] for row in rows], abs=1e-6)
    for name in unsure_run.read_json("model.json")["classes"]:
        assert frame[f"p_{name}"].to_list() == pytest.approx([row["classes"][name] for row in rows], abs=1e-6)


def test_without_validation_predictions_the_plain_softmax_is_given_and_said_once(
    trained_run: Run, photos: list[Path], tmp_path: Path
) -> None:
    run, plain = tmp_path / "run", special.softmax(trained_run.predictions("test").logits[:4], axis=1)
    shutil.copytree(trained_run.path, run)
    (run / "predictions/val.npz").unlink()
    said: list[str] = []
    rows = predict(run, photos, neighbours=0, log=said.append)
    assert [row["confidence"] for row in rows] == pytest.approx(list(plain.max(axis=1)), abs=1e-4)
    assert "unfamiliarity" not in rows[0]
    assert sum("not calibrated: the run in" in line for line in said) == 1
    said.clear()
    frame = predict_many(run, [str(photo) for photo in photos], reject_below=1, log=said.append)
    assert frame["confidence"].to_list() == pytest.approx(list(plain.max(axis=1)), abs=1e-4)
    assert frame["unfamiliarity"].to_list() == [None] * 4
    assert frame["rejected"].to_list() == [True] * 4
    assert sum("not calibrated: the run in" in line for line in said) == 1
    assert sum("unfamiliarity of the images is unknown" in line for line in said) == 1
    assert rejection_sentences(Run.open(run)) == []


def test_any_size_and_mode_is_answered_with_a_picture(
    trained_run: Run, photos: list[Path], tmp_path: Path
) -> None:
    image = Image.open(photos[0])
    changed = {
        "large.jpg": image.resize((640, 480)),
        "grey.png": image.convert("L"),
        "see.webp": image.convert("RGBA"),
        "flat.gif": image.convert("P"),
        "deep.tiff": Image.fromarray(np.full((40, 90), 40_000, np.uint16)),
    }
    for name, one in changed.items():
        one.save(tmp_path / name)
    rows = predict(
        trained_run.path, [tmp_path / name for name in changed], maps=tmp_path / "maps", neighbours=0
    )
    assert [Path(row["file"]).name for row in rows] == list(changed)
    pictures = [Path(row["map"]) for row in rows]
    assert all(path.parent == tmp_path / "maps" for path in pictures)
    assert len(set(pictures)) == 5
    with Image.open(pictures[0]) as picture:
        assert picture.size[0] == 3 * module.SHOWN + 8


def test_a_training_image_is_nearest_to_itself_and_is_looked_at_once(
    trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = int(trained_run.splits()["train"][7])
    own = first_rows(cifar10[0], 40)
    Image.fromarray(own.pixels([index])[0]).save(tmp_path / "own.png")
    (row,) = predict(trained_run.path, [tmp_path / "own.png"], neighbours=3)
    assert len(row["nearest"]) == 3
    assert row["nearest"][0]["index"] == index
    assert row["nearest"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert row["nearest"][0]["label"] == own.classes[own.labels[index]]
    similar = [one["similarity"] for one in row["nearest"]]
    assert similar == sorted(similar, reverse=True)
    assert Path(row["nearest_picture"]).parent == trained_run.file("predicted")
    monkeypatch.setattr(
        nearest_module, "in_blocks", lambda *_: pytest.fail("looked at the training images again")
    )
    predict(trained_run.path, [tmp_path / "own.png"], neighbours=1)


def test_maps_that_failed_their_check_are_not_shown(
    trained_run: Run, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame(
        {
            "check": ["deletion"],
            "value": [0.1],
            "baseline": [0.2],
            "ci_low": [0.0],
            "ci_high": [0.2],
            "passed": [False],
        }
    )
    failed = Table(frame, dict.fromkeys(frame.columns, "-"), 1, "By hand.", "Maps failed a check.")
    monkeypatch.setattr(Run, "evidence", lambda _: Evidence({"faithfulness": failed}))
    (row,) = predict(trained_run.path, photos[:1], maps=tmp_path / "maps", neighbours=0)
    assert row["map"] is None
    assert row["map_refused"] == "Maps failed a check."
    assert not (tmp_path / "maps").exists()


def test_without_its_data_a_run_still_predicts(
    trained_run: Run, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise DeepSightError("the data moved")

    monkeypatch.setattr("deepsight.obtain.load_dataset", gone)
    said: list[str] = []
    (row,) = predict(trained_run.path, photos[:1], maps=tmp_path, log=said.append)
    assert "nearest" not in row
    assert said == ["The nearest training images are not shown: the data moved"]


def test_what_is_no_image_is_named(trained_run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("hello")
    with pytest.raises(DeepSightError, match=re.escape(f"Expected an image in {tmp_path / 'note.jpg'}")):
        predict(trained_run.path, [tmp_path / "note.jpg"])
    with pytest.raises(UsageError, match="received 0"):
        predict(trained_run.path, [])


def test_a_run_without_a_model_says_so(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "new", {"data": "cifar10"})
    with pytest.raises(DeepSightError, match="Make it: deepsight train"):
        predict(run.path, [tmp_path / "photo.jpg"])
    run.save_json("model.json", {"architecture": "predictions in theirs.npz"})
    with pytest.raises(DeepSightError, match="external model"):
        predict(run.path, [tmp_path / "photo.jpg"])


D = 4 * 4 * 3


def features(pixels: NDArray[np.uint8], *, name: str) -> NDArray[np.float32]:
    """The pixels themselves, around their middle."""
    assert name == "train"
    return pixels.reshape(len(pixels), D).astype(np.float32) - 128


def logits_of(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two classes that no feature tells apart."""
    return np.zeros((len(features), 2), np.float32)


MADE = SimpleNamespace(features=features, logits_of=logits_of, weight=np.zeros((2, D), np.float32))
PREDICTOR = cast(Predictor, MADE)


@pytest.fixture
def train() -> Dataset:
    """Seven hundred images whose ids are no positions."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (700, 4, 4, 3), dtype=np.uint8)
    ids = rng.permutation(9000)[:700].astype(np.int64)
    return Dataset(images, np.arange(700) % 2, ("a", "b"), ids, "train")


def context(path: Path, train: Dataset, said: list[str]) -> Context:
    made: Any = SimpleNamespace(
        run=Run.create(path, {"data": "made"}), splits=SimpleNamespace(train=train), log=said.append
    )
    return cast(Context, made)


def test_neighbours_and_similarities_are_those_of_scikit_learn(train: Dataset, tmp_path: Path) -> None:
    asked = np.random.default_rng(1).normal(size=(9, D)).astype(np.float32)
    found = nearest_training(context(tmp_path / "run", train, []), PREDICTOR, asked, count=6)
    assert found is not None
    known = features(train.pixels(), name="train")
    distance, rows = NearestNeighbors(n_neighbors=6, metric="cosine").fit(known).kneighbors(asked)
    np.testing.assert_array_equal(found.ids, train.ids[rows])
    np.testing.assert_array_equal(found.labels, train.labels[rows])
    np.testing.assert_allclose(found.cosine, 1 - distance, atol=1e-3)  # features are kept in float16
    np.testing.assert_array_equal(found.pixels, train.pixels()[rows])


def test_at_most_so_many_are_looked_at_and_only_once(
    train: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepsight.workflows.predict.nearest_training.MOST_TRAINING", 100)
    said: list[str] = []
    here = context(tmp_path / "run", train, said)
    asked = features(train.pixels(slice(0, 1)), name="train")
    for _ in range(2):
        nearest_training(here, PREDICTOR, asked, count=3)
    assert len(here.run.predictions("train")) == 100
    assert len(said) == 1
    assert said[0].startswith("Features of 100 training images are computed once")
