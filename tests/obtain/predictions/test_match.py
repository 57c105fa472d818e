"""Predictions find their images by file name or by position, and no row is lost to another file's fault."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.obtain import Obtained, load_dataset
from deepsight.obtain.predictions.match import Listings, places_of_names
from deepsight.obtain.predictions.read import MatchedPredictions, read_predictions

CLASSES = ("cat", "dog", "dog-wild")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Obtained:
    """Three classes of which one's name begins with another's; two files cannot be read."""
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    for part in ("train", "test"):
        for c, name in enumerate(CLASSES):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for i in range(4):
                Image.new("RGB", (8, 8), (60 * c, 20 * i, 0)).save(tmp_path / f"data/{part}/{name}/{i}.png")
    broken = tmp_path / "data/test/dog/1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    (tmp_path / "data/test/cat/notes.txt").write_text("no picture")
    return load_dataset(f"folder:{tmp_path / 'data'}")


def read(data: Obtained, file: Path, split: str = "test") -> tuple[MatchedPredictions, list[str]]:
    said: list[str] = []
    listings = Listings(data.listed, data.named())
    return read_predictions(file, data.split(split), listings=listings, log=said.append), said


def table(files: list[str]) -> pl.DataFrame:
    """Certain predictions of the class in whose folder a file lies, the columns in another order."""
    own = [name.split("/")[-2] for name in files]
    return pl.DataFrame(
        {
            "file": files,
            "dog-wild": [0.8 if c == "dog-wild" else 0.1 for c in own],
            "cat": [0.8 if c == "cat" else 0.1 for c in own],
            "dog": [0.8 if c == "dog" else 0.1 for c in own],
        }
    )


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix in (".csv", ".tsv"):
        frame.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dicts()))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_a_table_in_any_order_finds_its_files(data, tmp_path, suffix):
    files = [str(file) for file in data.test.files[::-1]]
    found, said = read(data, write(table(files), tmp_path / f"p{suffix}"))
    np.testing.assert_array_equal(found.predictions.predicted, found.data.labels)
    np.testing.assert_array_equal(found.predictions.ids, data.test.ids)
    assert said == []


def test_a_subset_is_enough_and_extra_rows_are_said(data, tmp_path):
    files = [str(file) for file in data.test.files[2:5]]
    extra = ["test/dog/1.png", "train/cat/0.png", "elsewhere/cat/x.png"]
    found, said = read(data, write(table([*extra, *files]), tmp_path / "p.csv"))
    assert found.data.files.tolist() == files
    assert found.predictions.ids.tolist() == [2, 3, 4]
    assert said[0].startswith("Predictions for no image of the split: 3 (test/dog/1.png")
    assert said[1] == "Of these files, 1 are in another split or could not be read."
    assert said[2].startswith("3 of 11 images of the split have a prediction.")


@pytest.mark.parametrize("front", ["", "./", "/home/me/data/", "C:\\photos\\"])
def test_paths_fit_by_their_ends(data, tmp_path, front):
    files = [(front + str(file)).replace("/", "\\" if "\\" in front else "/") for file in data.test.files]
    frame = table([str(file) for file in data.test.files]).with_columns(file=pl.Series(files))
    found, _ = read(data, write(frame, tmp_path / "p.parquet"))
    assert len(found.data) == len(data.test)


def test_an_end_that_fits_two_files_fits_none():
    files = ["a/x/1.png", "b/x/1.png", "b/2.png"]
    assert places_of_names(["x/1.png", "a/x/1.png", "2.png", "y/2.png", "1.png"], files).tolist() == [
        -1, 0, 2, -1, -1,
    ]  # fmt: skip


def test_arrays_may_name_their_files(data, tmp_path):
    probs = np.eye(3)[data.test.labels][::-1] * 0.7 + 0.1
    np.savez(tmp_path / "p.npz", probs=probs, files=data.test.files[::-1].astype(str))
    found, _ = read(data, tmp_path / "p.npz")
    np.testing.assert_array_equal(found.predictions.predicted, data.test.labels)


def test_a_choice_alone_or_with_its_confidence(data, tmp_path):
    files = [str(file) for file in data.test.files]
    own = [name.split("/")[-2] for name in files]
    frame = pl.DataFrame({"filename": files, "prediction": own, "confidence": [0.7] * len(own), "label": own})
    found, _ = read(data, write(frame, tmp_path / "p.csv"))
    np.testing.assert_array_equal(found.predictions.predicted, data.test.labels)
    assert found.predictions.probabilities.max(axis=1) == pytest.approx(0.7)


@pytest.mark.parametrize("column", ["probs", "logits"])
@pytest.mark.parametrize("nested", ["list", "names"])
def test_json_lines_may_hold_lists_or_names(data, tmp_path, column, nested):
    lines = []
    for file, label in zip(data.test.files, data.test.labels, strict=True):
        row = [5.0, 5.0, 5.0] if column == "logits" else [0.1, 0.1, 0.1]
        row[label] = 9.0 if column == "logits" else 0.8
        values = row if nested == "list" else dict(zip(CLASSES, row, strict=True))
        lines.append(json.dumps({"file": str(file), column: values}))
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    found, _ = read(data, tmp_path / "p.jsonl")
    np.testing.assert_array_equal(found.predictions.predicted, data.test.labels)


def positional(path: Path, labels: np.ndarray) -> Path:
    np.savez(path, probs=np.eye(3)[labels] * 0.7 + 0.1)
    return path


def test_an_unreadable_file_costs_nobody_their_row(data, tmp_path):
    pictures = np.repeat([0, 1, 2], 4)  # as ImageFolder lists them, the broken one among them
    found, said = read(data, positional(tmp_path / "p.npz", pictures))
    np.testing.assert_array_equal(found.predictions.predicted, found.data.labels)
    assert len(found.data) == 11
    assert "of all 12 listed files" in said[0]
    everything = np.r_[np.zeros(5, int), np.repeat([1, 2], 4)]  # with the text file, which comes last of cat
    found, _ = read(data, positional(tmp_path / "q.npz", everything))
    np.testing.assert_array_equal(found.predictions.predicted, found.data.labels)


def test_predictions_of_everything_serve_the_part_that_is_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    labels = np.arange(30) % 3
    np.savez(tmp_path / "d.npz", images=np.zeros((30, 8, 8, 3), np.uint8), labels=labels, classes=CLASSES)
    data = load_dataset(f"arrays:{tmp_path / 'd.npz'}")
    file = positional(tmp_path / "p.npz", labels)
    found, said = read(data, file)
    np.testing.assert_array_equal(found.predictions.ids, data.test.ids)
    np.testing.assert_array_equal(found.predictions.predicted, data.test.labels)
    assert "splits.csv lists them; --split all examines all" in said[0]
    whole, said = read(data, file, "all")
    np.testing.assert_array_equal(whole.predictions.predicted, labels)
    assert said == []


def test_all_of_official_parts_has_the_rows_of_both(data, tmp_path):
    whole = data.split("all")
    assert len(whole) == 23
    assert whole.files[0] == "train/cat/0.png"
    assert whole.files[-1] == "test/dog-wild/3.png"
    found, _ = read(data, write(table([str(f) for f in whole.files]), tmp_path / "p.csv"), "all")
    np.testing.assert_array_equal(found.predictions.predicted, whole.labels)
    np.testing.assert_array_equal(whole.pixels([0, 22])[:, 0, 0, 0], [0, 120])


def test_files_of_another_split_are_found_there(data, tmp_path):
    files = [str(file) for file in data.train.files]
    with pytest.raises(UsageError, match=r"12 of them are in train: --split train, or --split all"):
        read(data, write(table(files), tmp_path / "p.csv"))
    found, _ = read(data, tmp_path / "p.csv", "train")
    assert len(found.data) == 12


def test_what_cannot_be_matched_is_refused(data, tmp_path):
    files = [str(data.test.files[0])] * 2
    with pytest.raises(UsageError, match=r"received several for 1 of .*, the first: test/cat/0\.png"):
        read(data, write(table(files), tmp_path / "p.csv"))
    with pytest.raises(UsageError, match=r"Expected 11 rows of predictions.*received 3"):
        read(data, positional(tmp_path / "p.npz", np.arange(3)))
    frame = table([str(f) for f in data.test.files]).drop("dog")
    with pytest.raises(UsageError, match=r"the classes \['dog'\] have no column"):
        read(data, write(frame, tmp_path / "q.csv"))
    with pytest.raises(UsageError, match="received 'val'; known: train, test, all"):
        data.split("val")


def test_names_fit_whatever_their_slashes_and_accents():
    files = ["caf\u00e9/1.png", "caf\u00e9/2.png"]
    given = [
        "cafe\u0301\\1.png",
        "C:\\photos\\caf\u00e9\\2.png",
        "./caf\u00e9/1.png",
        "file:///x/cafe\u0301/2.png",
    ]
    assert places_of_names(given, files).tolist() == [0, 1, 0, 1]


def test_a_table_of_predictions_is_read_as_programs_write_it(data: Obtained, tmp_path: Path) -> None:
    files = [str(file) for file in data.test.files]
    wanted, _ = read(data, write(table(files), tmp_path / "plain.csv"))
    lines = write(table(files), tmp_path / "p.csv").read_text().splitlines()
    numbered = [f"{i - 1 if i else ''}," + line for i, line in enumerate(lines)]
    text = (
        "\r\n".join(numbered)
        .replace(",", ";")
        .replace(";0.", ";0,")
        .replace(";0,png", ";0.png")
        .replace("file;", "Filename;", 1)
    )
    (tmp_path / "p.csv").write_bytes(text.encode("utf-8-sig"))
    found, _ = read(data, tmp_path / "p.csv")
    assert (found.predictions.logits == wanted.predictions.logits).all()


def test_capitals_and_endings_are_left_aside_where_nothing_fits_else():
    files = ["cat/a.PNG", "dog/b.jpg"]
    assert places_of_names(["Cat/A.png", "DOG/B.JPG"], files).tolist() == [0, 1]
    assert places_of_names(["cat/a", "dog/b"], files).tolist() == [0, 1]
    assert places_of_names(["cat/a"], ["cat/a.png", "cat/a.jpg"]).tolist() == [-1]


def test_columns_of_classes_are_found_in_other_capitals_and_others_are_said(
    data: Obtained, tmp_path: Path
) -> None:
    files = [str(file) for file in data.test.files]
    plain, _ = read(data, write(table(files), tmp_path / "plain.csv"))
    frame = table(files).rename({"cat": "CAT", "dog": " Dog"}).with_columns(other=pl.lit(0.0))
    found, said = read(data, write(frame, tmp_path / "p.csv"))
    assert (found.predictions.logits == plain.predictions.logits).all()
    assert "Not used: columns (1), the first: other." in said


def test_rows_that_guess_are_doubted(tmp_path: Path) -> None:
    labels = np.arange(60) % 3
    many = Dataset(np.zeros((60, 4, 4, 3), np.uint8), labels, CLASSES, np.arange(60), "test")
    probs = np.eye(3)[np.random.default_rng(0).permutation(labels)] * 0.7 + 0.1
    np.savez(tmp_path / "p.npz", probs=probs)
    said: list[str] = []
    read_predictions(tmp_path / "p.npz", many, log=said.append)
    assert any("no more than by guessing" in line for line in said)
    np.savez(tmp_path / "p.npz", probs=np.eye(3)[labels] * 0.7 + 0.1)
    said.clear()
    read_predictions(tmp_path / "p.npz", many, log=said.append)
    assert not said


def test_names_that_match_several_files_are_said(data: Obtained, tmp_path: Path) -> None:
    files = [str(name) for name in data.test.files]
    frame = table(files).with_columns(file=pl.Series([files[0], *(f.rpartition("/")[2] for f in files[1:])]))
    found, said = read(data, write(frame, tmp_path / "p.csv"))
    alone = {files[0], "test/dog/1.png"} & {*files}
    assert len(found.data) == len(alone)
    assert any(f"Of these names, {len(files) - 1} match several files" in line for line in said)
