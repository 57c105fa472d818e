"""Data sets of a hub whose files are read where they lie: Parquet and WebDataset, here and over HTTP."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.readers import huggingface
from made_shards import file_server, grey_samples, png, write_shard

datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A data set as a hub holds it: 16 pictures to learn from in two files, 6 to test, 3 of another part."""
    folder = tmp_path / "repository" / "data"
    folder.mkdir(parents=True)
    write_table(folder / "train-00000-of-00002.parquet", range(8))
    write_table(folder / "train-00001-of-00002.parquet", range(8, 16))
    write_table(folder / "test-00000-of-00001.parquet", range(100, 106))
    return folder.parent


def write_table(path: Path, greys: range) -> None:
    """A Parquet file with the pictures in a column of another than the usual name."""
    rows = {
        "photo": [{"bytes": png(grey), "path": None} for grey in greys],
        "label": [grey % 2 for grey in greys],
    }
    kinds = {"photo": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])}
    datasets.Dataset.from_dict(rows, features=datasets.Features(kinds)).to_parquet(path)


def greys(data) -> list[int]:
    return data.pixels()[:, 0, 0, 0].tolist()


def found_by_library(monkeypatch, files: dict[str, list[str]]) -> None:
    """Let the library find these files behind any name."""
    builder = SimpleNamespace(config=SimpleNamespace(data_files=files))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda place, config: builder)
    monkeypatch.setattr(huggingface, "choose_network", lambda **_: None)


def test_files_of_a_repository_are_read_where_they_lie(repository: Path) -> None:
    streamed = load_dataset(f"hf:{repository}?stream=yes")
    assert greys(streamed.train) == list(range(16))
    assert greys(streamed.test) == list(range(100, 106))
    assert streamed.train.classes == ("even", "odd")
    assert streamed.train.labels.tolist() == [grey % 2 for grey in range(16)]
    assert streamed.train.files is not None
    assert streamed.train.files[9] == "train-00001-of-00002.parquet/1"


def test_streamed_images_are_those_that_the_library_downloads(
    repository: Path, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "library")
    streamed, whole = load_dataset(f"hf:{repository}?stream=yes"), load_dataset(f"hf:{repository}")
    for part, data in whole.named().items():
        assert (streamed.split(part).pixels() == data.pixels()).all()
        assert (streamed.split(part).labels == data.labels).all()


@pytest.mark.slow
def test_files_behind_urls_are_read_in_ranges(repository: Path, monkeypatch) -> None:
    with file_server(repository / "data") as url:
        files = {
            "train": [f"{url}/train-0000{i}-of-00002.parquet" for i in range(2)],
            "test": [f"{url}/test-00000-of-00001.parquet"],
            "unsupervised": [f"{url}/none.parquet"],
        }
        found_by_library(monkeypatch, files)
        streamed = load_dataset("hf:ada/greys?stream=yes")
    assert greys(streamed.train) == list(range(16))
    assert streamed.record["data"] == "hf:ada/greys"
    assert streamed.record["passed_over"][0]["first"] == "unsupervised"


def test_shards_of_tar_files_are_streamed_too(tmp_path: Path, monkeypatch) -> None:
    write_shard(tmp_path / "one.tar", grey_samples(0, 12))
    found_by_library(monkeypatch, {"train": [str(tmp_path / "one.tar")]})
    assert greys(load_dataset("hf:ada/greys?stream=yes").split("all")) == list(range(12))


def test_what_cannot_be_streamed_is_refused(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    found_by_library(monkeypatch, {"train": [str(tmp_path / "train.csv")]})
    with pytest.raises(DeepSightError, match="Parquet files or WebDataset shards"):
        load_dataset("hf:ada/greys?stream=yes")
    found_by_library(monkeypatch, {"validation": [str(tmp_path / "train.csv")]})
    with pytest.raises(DeepSightError, match="a part named train"):
        load_dataset("hf:ada/greys?stream=yes")
    found_by_library(monkeypatch, {"train": ["https://example.invalid/a.parquet"]})
    with pytest.raises(UsageError, match="--offline"):
        load_dataset("hf:ada/greys?stream=yes", offline=True)
    with pytest.raises(UsageError, match="stream=yes or stream=no"):
        load_dataset("hf:ada/greys?stream=maybe")
