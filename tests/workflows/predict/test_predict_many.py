"""Many images become one table; a stranger is unfamiliar, and one bad file stops nothing."""

import io
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.errors import UsageError
from deepsight.core.run import Run
from deepsight.model.predict import Predictor
from deepsight.workflows.predict import predict_many as module
from deepsight.workflows.predict.image_paths import expand_paths
from deepsight.workflows.predict.predict import predict
from deepsight.workflows.predict.predict_many import (
    DOUBTFUL,
    UNLIKE,
    PredictedCounts,
    Thresholds,
    frame_of_block,
    predict_into,
    predict_many,
    with_rejections,
)


def test_folders_patterns_tables_and_stdin_give_each_file_once(tmp_path: Path, monkeypatch) -> None:
    for name in ("a/x.png", "a/b/y.JPG", "a/notes.txt", "a/._x.png", "a/__MACOSX/x.png", "z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "list.csv").write_text("id,file\n1,z.png\n2,a/x.png\n")
    monkeypatch.chdir(tmp_path)
    assert [p.name for p in expand_paths(["a"])] == ["y.JPG", "x.png"]
    assert [p.name for p in expand_paths(["*.png", "z.png"])] == ["z.png"]
    assert [p.name for p in expand_paths([str(tmp_path / "list.csv")])] == ["z.png", "x.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("z.png\n\na/x.png\n"))
    assert [p.name for p in expand_paths(["-"])] == ["z.png", "x.png"]
    with pytest.raises(UsageError, match="found none"):
        expand_paths(["*.gif"])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="a column named file"):
        expand_paths(["other.csv"])


def test_a_list_of_files_is_read_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (tmp_path / "Käse.png").write_bytes(b"")
    (tmp_path / "list.csv").write_bytes("Path;Label\r\nKäse.png;cat\r\n".encode("cp1252"))
    pl.DataFrame({"image": ["Käse", None]}).write_parquet(tmp_path / "list.parquet")
    for name in ("list.csv", "list.parquet"):
        said: list[object] = []
        assert [p.name for p in expand_paths([str(tmp_path / name)], log=said.append)] == ["Käse.png"]
        assert [("western Europe (1252)" in str(line)) for line in said] == [True] * (name == "list.csv")


@pytest.fixture
def pictures(cifar10, tmp_path: Path) -> Path:
    """Twelve test images, a picture of noise, and a file that is no image."""
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(cifar10[1].pixels(np.array([i]))[0]).save(folder / f"{i:02d}.png")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / "noise.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.mark.slow
def test_a_table_of_many_images(trained_run: Run, pictures: Path) -> None:
    frame = predict_many(trained_run.path, [str(pictures)], reject_below=0.5)
    assert len(frame) == 14
    broken = frame.filter(pl.col("file").str.ends_with("broken.png"))
    assert "cannot be read" in broken["error"][0]
    assert broken["label"][0] is None
    read = frame.filter(pl.col("error").is_null())
    classes = [name for name in frame.columns if name.startswith("p_")]
    assert np.allclose(read.select(classes).sum_horizontal(), 1)
    unlike, doubtful = read["unfamiliarity"] >= 0.99, read["confidence"] < 0.5
    assert (read["rejected"] == (unlike | doubtful)).all()
    assert (read["reason"] == UNLIKE).fill_null(False).to_list() == unlike.to_list()
    noise = read.filter(pl.col("file").str.ends_with("noise.png"))["unfamiliarity"][0]
    others = read.filter(~pl.col("file").str.ends_with("noise.png"))["unfamiliarity"]
    assert noise == 1
    assert others.median() < 0.95
    assert others.is_between(0, 1).all()


@pytest.mark.slow
def test_a_table_that_was_stopped_goes_on(
    trained_run: Run, pictures: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    read: list[str] = []
    real = module.read_or_why

    def counted(file, *rest):
        read.append(file.name)
        if len(read) == 7:
            raise KeyboardInterrupt
        return real(file, *rest)

    monkeypatch.setattr(module, "read_or_why", counted)
    with pytest.raises(KeyboardInterrupt):
        predict_into(trained_run.path, [str(pictures)], tmp_path / "a.csv", Thresholds())
    counts = predict_into(trained_run.path, [str(pictures)], tmp_path / "a.csv", Thresholds())
    assert (counts.images, counts.unreadable) == (14, 1)
    assert len(read) == 7 + 10  # the first block was kept


@pytest.mark.slow
def test_the_command_writes_each_format(trained_run: Run, pictures: Path, tmp_path: Path) -> None:
    for name, read in {"a.csv": pl.read_csv, "a.jsonl": pl.read_ndjson, "a.parquet": pl.read_parquet}.items():
        out = tmp_path / name
        done = CliRunner().invoke(
            app, ["predict", str(trained_run.path), str(pictures / "0*.png"), "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
        assert len(read(out)) == 10
        assert "AURC; 0 is best" in done.output
    wrong = CliRunner().invoke(app, ["predict", str(trained_run.path), "x.png", "--out", "a.txt"])
    assert isinstance(wrong.exception, UsageError)


def test_rejections_say_why_and_unreadable_files_are_none() -> None:
    frame = pl.DataFrame(
        {
            "confidence": [0.9, 0.9, 0.4, None, 0.9, 0.4],
            "unfamiliarity": [0.2, 1.0, 0.5, None, None, None],
            "rejected": [None] * 6,
            "reason": [None] * 6,
        }
    )
    found = with_rejections(frame, Thresholds(0.6, 0.99))
    assert found["rejected"].to_list() == [False, True, True, None, False, True]
    assert found["reason"].to_list() == [None, UNLIKE, DOUBTFUL, None, None, DOUBTFUL]
    assert with_rejections(frame, Thresholds(0.6, 2.0))["reason"].to_list()[:3] == [None, None, DOUBTFUL]


CLASSES = ("cat", "=dog")


def block_answer(errors: list[str]) -> dict[str, np.ndarray]:
    """What a pass says about files, of which those with an error could not be read."""
    unread = np.array([bool(why) for why in errors])
    probabilities = np.tile([0.3, 0.7], (len(errors), 1))
    probabilities[unread] = np.nan
    far = np.where(unread, np.nan, 0.5)
    return {"error": np.array(errors), "probabilities": probabilities, "unfamiliarity": far}


def test_a_block_becomes_rows_in_which_the_unread_are_null() -> None:
    frame = frame_of_block([Path("a.png"), Path("b.png")], block_answer(["", "no image"]), CLASSES)
    assert frame["label"].to_list() == ["=dog", None]
    assert frame["confidence"].to_list() == [0.7, None]
    assert frame["p_cat"].to_list() == [0.3, None]
    assert frame["error"].to_list() == [None, "no image"]
    assert frame["unfamiliarity"].to_list() == [0.5, None]


def test_blocks_become_one_table_in_every_format(tmp_path: Path, monkeypatch) -> None:
    blocks = [
        with_rejections(
            frame_of_block([Path(f"{n}.png")] * 2, block_answer(errors), CLASSES), Thresholds(0.8)
        )
        for n, errors in enumerate([["", "no image"], ["", ""]])
    ]
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "predicted_frames", lambda *_, **__: iter(blocks))
    for name, read in {"a.csv": pl.read_csv, "a.jsonl": pl.read_ndjson, "a.parquet": pl.read_parquet}.items():
        counts = predict_into(tmp_path, ["x"], tmp_path / name, Thresholds(0.8))
        assert counts == PredictedCounts(images=4, rejected=3, unlike=0, unreadable=1)
        found = read(tmp_path / name)
        assert found["file"].to_list() == ["0.png", "0.png", "1.png", "1.png"]
        assert found["label"][0] == ("'=dog" if name == "a.csv" else "=dog")
        assert found["p_cat"].to_list() == [0.3, None, 0.3, 0.3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.parquet", "cache"]
    assert not any((tmp_path / "cache" / "passes").iterdir())


def teapots(n: int) -> list[np.ndarray]:
    """Drawn teapots, digits on paper, plain walls and test charts: nothing that CIFAR-10 has a class for."""
    rng, found = np.random.default_rng(0), []
    for i in range(n):
        paper = np.full((64, 64, 3), 250, np.uint8)
        if i % 3 == 0:
            cv2.ellipse(paper, (32, 36), (18, 14), 0, 0, 360, (60, 60, 160), -1)
            cv2.ellipse(paper, (52, 34), (7, 8), 0, 0, 360, (60, 60, 160), 3)
            cv2.line(paper, (16, 36), (4, 24 + i % 5), (60, 60, 160), 5)
        elif i % 3 == 1:
            cv2.putText(paper, f"{i}7", (2, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
        else:
            paper[:] = 255 * ((np.indices((64, 64)).sum(axis=0) // (2 + i % 7)) % 2)[..., None]
        found.append(np.clip(paper + rng.normal(0, 3, paper.shape), 0, 255).astype(np.uint8))
    return found


@pytest.mark.slow
def test_a_teapot_is_no_frog_and_a_frog_is_no_teapot(trained_run: Run, cifar10, tmp_path: Path) -> None:
    for row, image in enumerate(teapots(30)):
        Image.fromarray(image).save(tmp_path / f"teapot{row:02d}.png")
    for row, image in enumerate(cifar10[1].pixels(np.arange(2000, 2060))):
        Image.fromarray(image).save(tmp_path / f"usual{row:02d}.png")
    frame = predict_many(trained_run.path, [str(tmp_path)])
    outsiders = frame.filter(pl.col("file").str.contains(r"teapot\d\d\.png"))
    usual = frame.filter(pl.col("file").str.contains(r"usual\d\d\.png"))
    assert (outsiders["reason"] == UNLIKE).fill_null(False).mean() >= 0.7
    assert (usual["reason"] == UNLIKE).fill_null(False).mean() <= 0.15
    (row,) = predict(trained_run.path, [tmp_path / "teapot02.png"], maps=tmp_path / "maps", neighbours=1)
    assert row["unfamiliar"]


@pytest.mark.slow
def test_a_dark_deep_file_stays_dark(trained_run: Run, monkeypatch, tmp_path: Path) -> None:
    for name, value in {"dark": 300, "bright": 4000}.items():
        Image.fromarray(np.full((32, 32), value, np.uint16)).save(tmp_path / f"{name}.png")
    seen: list[np.ndarray] = []
    real = Predictor.features

    def noted(self, pixels, **names):
        seen.append(pixels)
        return real(self, pixels, **names)

    monkeypatch.setattr(Predictor, "features", noted)
    predict_many(trained_run.path, [str(tmp_path / "dark.png"), str(tmp_path / "bright.png")])
    assert [int(image[0, 0, 0]) for image in seen[-1]] == [round(300 * 255 / 4095), round(4000 * 255 / 4095)]


@pytest.mark.parametrize("limits", [(1.5, 0.9), (0.5, -0.1), (0.5, float("nan"))])
def test_limits_out_of_range_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="Expected --reject"):
        Thresholds(*limits)
