"""Own images from a table: every form, columns by name, splits, groups, metadata, URLs."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset

N = 20


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    """Twenty pictures of growing grey in a folder beside the table, two classes in turn."""
    (tmp_path / "pictures").mkdir()
    for i in range(N):
        Image.new("RGB", (8, 8), (10 * i,) * 3).save(tmp_path / f"pictures/{i:02d}.png")
    return pl.DataFrame(
        {"path": [f"pictures/{i:02d}.png" for i in range(N)], "label": ["dog", "cat"] * (N // 2)}
    )


def written(folder: Path, frame: pl.DataFrame, suffix: str) -> str:
    path = folder / f"table{suffix}"
    if suffix in (".csv", ".tsv"):
        frame.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    elif suffix == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dicts()))
    return f"table:{path}"


def greys(data) -> list[int]:
    return data.pixels()[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_every_form_is_read(tmp_path, rows, suffix):
    obtained = load_dataset(written(tmp_path, rows, suffix))
    whole = obtained.split("all")
    assert whole.classes == ("cat", "dog")
    assert greys(whole) == [10 * i for i in range(N)]
    assert whole.files.tolist() == rows["path"].to_list()
    assert [whole.classes[c] for c in whole.labels] == rows["label"].to_list()
    assert obtained.record["counts"] == {"train": 16, "test": 4}


def test_columns_may_be_named_and_the_rest_is_metadata(tmp_path, rows):
    frame = rows.rename({"path": "where", "label": "what"}).with_columns(
        fold=pl.Series(["train"] * 12 + ["valid"] * 4 + ["test"] * 4), age=pl.int_range(N), sex=pl.lit("f")
    )
    name = written(tmp_path, frame, ".csv") + "?path=where&label=what&split=fold"
    obtained = load_dataset(name)
    assert obtained.record["counts"] == {"train": 12, "val": 4, "test": 4}
    assert obtained.validation.metadata.columns == ["age", "sex"]
    assert obtained.validation.metadata["age"].to_list() == [12, 13, 14, 15]


def test_no_group_is_in_two_parts(tmp_path, rows):
    frame = rows.with_columns(group=pl.Series([f"patient {i // 4}" for i in range(N)]))
    obtained = load_dataset(written(tmp_path, frame, ".parquet"))
    train, test = set(obtained.train.groups.tolist()), set(obtained.test.groups.tolist())
    assert len(train) == 4
    assert len(test) == 1
    assert not train & test
    assert obtained.record["groups"] == 5
    assert obtained.train.metadata is None


def test_what_is_not_used_is_counted_once(tmp_path, rows):
    frame = pl.concat(
        [
            rows.with_columns(split=pl.Series(["train"] * 16 + ["extra"] * 4)),
            pl.DataFrame(
                {"path": ["pictures/00.png", None], "label": ["cat", "cat"], "split": ["train"] * 2}
            ),
        ]
    ).with_columns(label=pl.when(pl.col("path") == "pictures/01.png").then(None).otherwise(pl.col("label")))
    said: list[str] = []
    record = load_dataset(written(tmp_path, frame, ".csv"), log=said.append).record
    assert record["passed_over"] == [
        {"what": "rows without a path", "n": 1, "first": "1 in all"},
        {
            "what": "rows that give another label to a path that is listed already",
            "n": 1,
            "first": "pictures/00.png",
        },
        {"what": "rows of another split than train, val and test", "n": 4, "first": "extra"},
    ]
    assert record["quarantined"] == [{"file": "pictures/01.png", "reason": "it has no label"}]
    assert sum(line.startswith("Not used:") for line in said) == 3


def test_urls_are_read_through_fsspec(tmp_path, rows):
    urls = [f"file://{tmp_path}/{path}" for path in rows["path"]]
    urls[3] = "nonsense://x"
    frame = rows.with_columns(path=pl.Series(urls))
    obtained = load_dataset(written(tmp_path, frame, ".csv"), offline=True)
    [item] = obtained.record["quarantined"]
    assert item["file"] == "nonsense://x"
    assert greys(obtained.split("all")) == [10 * i for i in range(N) if i != 3]
    remote = written(tmp_path, frame.with_columns(path=pl.format("https://example.org/{}", "path")), ".csv")
    with pytest.raises(DeepSightError, match="URL, and --offline is set"):
        load_dataset(remote, offline=True)


def test_whole_numbers_are_labels_also_where_cells_are_empty(tmp_path, rows):
    frame = rows.with_columns(label=pl.Series([None, *[2, 10] * 9, 2]))
    assert load_dataset(written(tmp_path, frame, ".csv")).train.classes == ("2", "10")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"label": pl.lit(0.5)}, "", "Expected labels as text or whole numbers in the column 'label'"),
        ({"split": pl.lit("test")}, "", "Expected rows whose 'split' is train"),
        ({}, "?label=lable", "received 'lable'; did you mean 'label'"),
        ({}, "?group=patient", "for 'group', received 'patient'"),
        ({"label": pl.lit("one")}, "", "at least two classes"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, rows, change, options, message):
    with pytest.raises(DeepSightError, match=message):
        load_dataset(written(tmp_path, rows.with_columns(**change), ".csv") + options)


def test_a_table_without_paths_names_the_option(tmp_path, rows):
    with pytest.raises(UsageError, match=r"Expected a column 'path' .* Name it: .path=COLUMN"):
        load_dataset(written(tmp_path, rows.rename({"path": "where"}), ".csv"))
    with pytest.raises(UsageError, match="found no such file"):
        load_dataset(f"table:{tmp_path}/absent.csv")
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(UsageError, match=r"Expected a table as \.csv"):
        load_dataset(f"table:{tmp_path}/t.xlsx")
    (tmp_path / "t.parquet").write_text("no parquet")
    with pytest.raises(DeepSightError, match="in the format of its suffix"):
        load_dataset(f"table:{tmp_path}/t.parquet")


def test_another_label_for_the_same_file_is_another_data_set(tmp_path, rows):
    name = written(tmp_path, rows, ".csv")
    first = load_dataset(name).record["digests"]
    written(tmp_path, rows.with_columns(label=pl.Series(["cat", "dog"] * 10)), ".csv")
    assert load_dataset(name).record["digests"] != first


def test_metadata_beside_class_folders(tmp_path):
    root = tmp_path / "folder"
    for i in range(N):
        path = root / ("cat", "dog")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * i,) * 3).save(path)
    lines = [f"{('cat', 'dog')[i % 2]}/{i:02d}.png,video {i // 4},{i}" for i in range(1, N)]
    (root / "metadata.csv").write_text("\n".join(["file_name,group,age", *lines, "cat/99.png,video 9,1"]))
    obtained = load_dataset(f"folder:{root}")
    whole = obtained.split("all")
    assert obtained.record["groups"] == 6  # the picture without a row is a group of its own
    assert set(obtained.train.groups) & set(obtained.test.groups) == set()
    ages = dict(zip(whole.files, whole.metadata["age"].to_list(), strict=True))
    assert ages["dog/07.png"] == 7
    assert ages["cat/00.png"] is None
    assert obtained.record["passed_over"] == [
        {"what": "rows of metadata without an image", "n": 1, "first": "cat/99.png"}
    ]
    np.testing.assert_array_equal(greys(whole), [10 * int(Path(file).stem) for file in whole.files])


CELLS = [["path", "label", "age"]]
CELLS += [[f"pictures/{i:02d}.png", "dog" if i % 2 else "cat", f"{i}.5"] for i in range(N)]
TEXT = "\n".join(",".join(row) for row in CELLS)
CHANGES = {
    "semicolons": (TEXT.replace(",", ";"), "utf-8"),
    "decimal commas": (TEXT.replace(",", ";").replace(".5", ",5"), "utf-8"),
    "tabs": (TEXT.replace(",", "\t"), "utf-8"),
    "bars": (TEXT.replace(",", "|"), "utf-8"),
    "Windows": (TEXT.replace("\n", "\r\n"), "utf-8-sig"),
    "UTF-16": (TEXT, "utf-16"),
    "capitals": (TEXT.replace("path,label", " Path ,LABEL"), "utf-8"),
    "backslashes": (TEXT.replace("pictures/", "pictures\\"), "utf-8"),
    "dots": (TEXT.replace("pictures/", "./pictures/"), "utf-8"),
    "row numbers": (
        "\n".join(f"{i - 1 if i else ''},{line}" for i, line in enumerate(TEXT.split("\n"))),
        "utf-8",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_csv_is_read_as_programs_write_it(tmp_path, rows, kind):
    text, encoding = CHANGES[kind]
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    whole = load_dataset(f"table:{tmp_path / 'table.csv'}").split("all")
    assert greys(whole) == [10 * i for i in range(N)]
    assert [whole.classes[c] for c in whole.labels] == ["cat", "dog"] * (N // 2)
    assert whole.metadata.columns == ["age"]
    assert whole.metadata["age"].to_list() == [i + 0.5 for i in range(N)]


def test_accents_are_found_in_either_spelling(tmp_path):
    (tmp_path / "\u00e9").mkdir()  # composed
    for i in range(8):
        Image.new("RGB", (8, 8), (10 * i,) * 3).save(tmp_path / f"\u00e9/{i}.png")
    lines = ["path,label", *(f"e\u0301/{i}.png,{i % 2}.0" for i in range(8))]  # decomposed
    (tmp_path / "table.csv").write_text("\n".join(lines))
    got = load_dataset(f"table:{tmp_path / 'table.csv'}")
    assert greys(got.split("all")) == [10 * i for i in range(8)]
    assert got.train.classes == ("0", "1")


def test_a_column_of_weights_is_metadata_and_this_is_said(tmp_path, rows):
    said = []
    got = load_dataset(written(tmp_path, rows.with_columns(weight=1.5), ".csv"), log=said.append)
    assert got.train.metadata.columns == ["weight"]
    assert any("'weight' is treated as metadata" in line and "same weight" in line for line in said)


def test_the_code_page_of_windows_keeps_names_apart(tmp_path, rows):
    named = rows.with_columns(label=pl.Series(["Käse", "Köse"] * (N // 2)))
    text = named.write_csv(separator=";").replace("\n", "\r\n")
    (tmp_path / "table.csv").write_bytes(text.encode("cp1252"))
    said: list[str] = []
    found = load_dataset(f"table:{tmp_path / 'table.csv'}", log=said.append)
    assert found.train.classes == ("Käse", "Köse")
    assert any("not in UTF-8. It is read in the code page of Windows" in line for line in said)


def test_spaces_make_no_other_group(tmp_path, rows):
    named = rows.with_columns(group=pl.Series([f"patient {i // 4}{' ' * (i % 2)}" for i in range(N)]))
    named.write_csv(tmp_path / "table.csv")
    obtained = load_dataset(f"table:{tmp_path / 'table.csv'}")
    assert obtained.record["groups"] == 5
    assert not set(obtained.train.groups) & set(obtained.test.groups)


def test_one_broken_letter_costs_the_others_nothing(tmp_path, rows):
    named = rows.with_columns(label=pl.Series(["Käse", "Öl, süß"] * (N // 2)))
    text = named.write_csv().encode().replace("süß".encode(), b"s\xfc\xc3\x9f", 1)
    (tmp_path / "table.csv").write_bytes(text)
    assert load_dataset(f"table:{tmp_path / 'table.csv'}").split("all").classes == (
        "Käse", "Öl, s\\xfcß", "Öl, süß",
    )  # fmt: skip


def test_lines_may_end_as_on_an_old_mac(tmp_path, rows):
    (tmp_path / "table.csv").write_bytes(rows.write_csv().replace("\n", "\r").encode())
    assert load_dataset(f"table:{tmp_path / 'table.csv'}").record["counts"] == {"train": 16, "test": 4}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("labels", [["cat", "nan", "dog", "<NA>"], [0.0, float("nan"), 1.0, 0.0]])
def test_a_mark_of_a_missing_value_is_no_class(tmp_path, rows, suffix, labels):
    marked = rows.with_columns(label=pl.Series(labels * (N // 4)))
    obtained = load_dataset(written(tmp_path, marked, suffix))
    assert obtained.train.classes in (("cat", "dog"), ("0", "1"))
    missing = sum(str(label).lower() in ("nan", "<na>") for label in labels) * N // 4
    assert [item["reason"] for item in obtained.record["quarantined"]] == ["it has no label"] * missing


def test_a_second_label_for_a_path_is_noted_apart(tmp_path, rows):
    again = pl.concat([rows, rows[:2], rows[2:3].with_columns(label=pl.lit("cat"))])
    passed_over = load_dataset(written(tmp_path, again, ".csv")).record["passed_over"]
    assert {item["what"]: item["n"] for item in passed_over} == {
        "rows for a path that is listed already": 2,
        "rows that give another label to a path that is listed already": 1,
    }


def test_names_without_the_ending_of_a_picture_are_found(tmp_path, rows):
    bare = rows.with_columns(pl.col("path").str.strip_suffix(".png"))
    assert load_dataset(written(tmp_path, bare, ".csv")).record["counts"] == {"train": 16, "test": 4}


@pytest.mark.parametrize("name", ["~nobody/x.png", "~$x.png", "x" * 5000, "no\0name.png"])
def test_a_path_that_cannot_be_costs_no_more_than_its_row(tmp_path, rows, name):
    with_one = rows.with_columns(path=pl.Series([name, *rows["path"][1:].to_list()]))
    obtained = load_dataset(written(tmp_path, with_one, ".csv"))
    assert len(obtained.record["quarantined"]) == 1


def test_images_in_the_table_itself_are_sent_to_the_right_reader(tmp_path, rows):
    images = [{"bytes": (tmp_path / path).read_bytes(), "path": path} for path in rows["path"]]
    rows.with_columns(path=pl.Series(images)).write_parquet(tmp_path / "table.parquet")
    with pytest.raises(DeepSightError, match="--data parquet:FILE"):
        load_dataset(f"table:{tmp_path / 'table.parquet'}")
