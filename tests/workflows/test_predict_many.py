"""Many images become one table; a stranger is unfamiliar, and one bad file stops nothing."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.errors import UsageError
from deepsight.core.run import Run
from deepsight.workflows.predict_many import expand_paths, predict_many


def test_folders_patterns_tables_and_stdin_give_each_file_once(tmp_path: Path, monkeypatch) -> None:
    for name in ("a/x.png", "a/b/y.JPG", "a/notes.txt", "z.png"):
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
    assert (read["rejected"] == (read["confidence"] < 0.5)).all()
    noise = read.filter(pl.col("file").str.ends_with("noise.png"))["unfamiliarity"][0]
    others = read.filter(~pl.col("file").str.ends_with("noise.png"))["unfamiliarity"]
    assert noise == 1
    assert others.median() < 0.95
    assert others.is_between(0, 1).all()


@pytest.mark.slow
def test_the_command_writes_each_format(trained_run: Run, pictures: Path, tmp_path: Path) -> None:
    for name, read in {"a.csv": pl.read_csv, "a.jsonl": pl.read_ndjson, "a.parquet": pl.read_parquet}.items():
        out = tmp_path / name
        done = CliRunner().invoke(
            app, ["classify", str(trained_run.path), str(pictures / "0*.png"), "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
        assert len(read(out)) == 10
        assert "AURC on" in done.output
    wrong = CliRunner().invoke(app, ["classify", str(trained_run.path), "x.png", "--out", "a.txt"])
    assert isinstance(wrong.exception, UsageError)
