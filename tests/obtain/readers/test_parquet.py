"""Own images in Parquet files: bytes, paths, Hugging Face's layout, classes by name, damage."""

import json
from pathlib import Path

import polars as pl
import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from made_shards import file_server, png

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def hub_table(start: int, n: int, names: list[str]) -> pa.Table:
    """Rows as `datasets` writes them: a struct of bytes and path, numbers as labels, names in the schema."""
    images = [{"bytes": png(i), "path": f"{i}.png"} for i in range(start, start + n)]
    table = pa.table({"image": images, "label": [i % 2 for i in range(start, start + n)], "site": ["x"] * n})
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def greys(data) -> list[int]:
    return data.pixels()[:, 0, 0, 0].tolist()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    pq.write_table(hub_table(0, 10, ["cat", "dog"]), folder / "train-0.parquet", row_group_size=4)
    pq.write_table(hub_table(10, 10, ["dog", "cat"]), folder / "train-1.parquet", row_group_size=4)
    return folder


def test_labels_are_mapped_by_name_file_by_file(files):
    whole = load_dataset(f"parquet:{files}/train-*.parquet").split("all")
    assert greys(whole) == list(range(20))
    names = [whole.classes[label] for label in whole.labels]
    assert names == ["cat", "dog"] * 5 + ["dog", "cat"] * 5
    assert whole.files[12] == "train-1.parquet/2"
    assert whole.metadata["site"].to_list() == ["x"] * 20


def test_the_names_of_the_column_that_was_chosen_count(tmp_path):
    table = hub_table(0, 10, ["cat", "dog"]).append_column("colour", pa.array([i % 2 for i in range(10)]))
    features = {
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
        "colour": {"names": ["red", "blue"], "_type": "ClassLabel"},
    }
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, tmp_path / "train.parquet")
    whole = load_dataset(f"parquet:{tmp_path}/train.parquet?label=colour").split("all")
    assert [whole.classes[label] for label in whole.labels] == ["red", "blue"] * 5


def test_bytes_and_paths_are_read_and_parts_are_named(tmp_path):
    (tmp_path / "a.png").write_bytes(png(7))
    pl.DataFrame({"img": [png(i) for i in range(8)], "class": ["u", "v"] * 4}).write_parquet(
        tmp_path / "b.parquet"
    )
    pl.DataFrame({"img": [png(i) for i in (50, 60)], "class": ["u", "v"]}).write_parquet(
        tmp_path / "t.parquet"
    )
    obtained = load_dataset(f"parquet:{tmp_path}/b.parquet?test={tmp_path}/t.parquet")
    assert greys(obtained.test) == [50, 60]
    pl.DataFrame({"path": ["a.png"] * 8, "label": ["u", "v"] * 4}).write_parquet(tmp_path / "p.parquet")
    assert set(greys(load_dataset(f"parquet:{tmp_path}/p.parquet").split("all"))) == {7}


@pytest.mark.slow
def test_the_same_images_come_over_http(files):
    here = load_dataset(f"parquet:{files}/train-{{0..1}}.parquet").split("all")
    with file_server(files) as url:
        there = load_dataset(f"parquet:{url}/train-{{0..1}}.parquet").split("all")
    assert (here.pixels() == there.pixels()).all()


def test_damaged_files_and_empty_cells_cost_themselves(files):
    (files / "train-2.parquet").write_bytes(b"PAR1 and nothing")
    table = hub_table(20, 4, ["cat", "dog"]).to_pydict()
    table["image"][1] = None
    pq.write_table(pa.table(table), files / "train-3.parquet")
    obtained = load_dataset(f"parquet:{files}/train-[03].parquet")
    assert greys(obtained.split("all")) == [*range(10), 20, 22, 23]
    assert obtained.record["quarantined"][0]["file"] == "train-3.parquet/1"
    whole = load_dataset(f"parquet:{files}/train-[012].parquet")
    assert whole.record["passed_over"][0]["first"].startswith("train-2.parquet")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [("?image=picture", UsageError, "picture"), ("?label=species", UsageError, "species")],
)
def test_columns_that_are_not_there_are_refused(files, options, error, said):
    with pytest.raises(error, match=said):
        load_dataset(f"parquet:{files}/train-0.parquet{options}")


def test_no_readable_file_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_text("nothing")
    with pytest.raises(DeepSightError, match=r"x\.parquet"):
        load_dataset(f"parquet:{tmp_path}/x.parquet")
