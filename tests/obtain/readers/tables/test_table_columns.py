"""Tables as other programs lay them out: codes, parts and classes in columns, comments, JSON by column."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset

N = 20
LABELS = ["dog", "cat"] * (N // 2)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """Twenty pictures, whose grey grows, beside the table."""
    for i in range(N):
        Image.new("RGB", (8, 8), (10 * i,) * 3).save(tmp_path / f"{i:03d}.png")
    return [f"{i:03d}.png" for i in range(N)]


def loaded(tmp_path: Path, text: str, *, suffix: str = ".csv"):
    """The data of a table with this text, and what was said of it."""
    said: list[str] = []
    (tmp_path / f"table{suffix}").write_text(text, encoding="utf-8")
    return load_dataset(f"table:{tmp_path / f'table{suffix}'}", log=said.append), " ".join(said)


def lines(header: str, rows) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def test_codes_of_digits_keep_their_zeros(tmp_path, names):
    codes = ["01", "10"] * (N // 2)
    rows = [
        (name[:3], code, f"{i // 2:02d}") for i, (name, code) in enumerate(zip(names, codes, strict=True))
    ]
    obtained, _ = loaded(tmp_path, lines("image_id,label,group", rows))
    whole = obtained.split("all")
    assert whole.classes == ("01", "10")
    assert whole.files.tolist() == [name[:3] for name in names]  # not 0, 1, …
    assert len(set(whole.groups.tolist())) == N // 2


def test_classes_with_a_column_each_are_read(tmp_path, names):
    rows = [(n, float(c == "cat"), float(c == "dog"), 40) for n, c in zip(names, LABELS, strict=True)]
    obtained, said = loaded(tmp_path, lines("image,cat,dog,age", rows))
    whole = obtained.split("all")
    assert [whole.classes[c] for c in whole.labels] == LABELS
    assert whole.metadata.columns == ["age"]
    assert "labels are read from the columns cat, dog" in said


def test_several_classes_for_an_image_are_refused(tmp_path, names):
    rows = [(name, 1, int(label == "dog")) for name, label in zip(names, LABELS, strict=True)]
    with pytest.raises(DeepSightError, match="10 of 20 rows with none or several"):
        loaded(tmp_path, lines("image,cat,dog", rows))


@pytest.mark.parametrize(
    ("column", "values", "counts"),
    [
        ("subset", ["train"] * 12 + ["valid"] * 4 + ["test"] * 4, {"train": 12, "val": 4, "test": 4}),
        ("is_test", [False] * 12 + [True] * 8, {"train": 12, "test": 8}),
        ("is_valid", [0] * 12 + [1] * 8, {"train": 10, "val": 8, "test": 2}),
    ],
)
def test_parts_in_a_column_of_another_name(tmp_path, names, column, values, counts):
    obtained, said = loaded(tmp_path, lines(f"path,label,{column}", zip(names, LABELS, values, strict=True)))
    assert obtained.record["counts"] == counts
    assert column in said


def test_a_column_that_only_sounds_like_parts_is_metadata(tmp_path, names):
    rows = zip(names, LABELS, ["train", "A", "test", "B"] * 5, strict=True)
    obtained, _ = loaded(tmp_path, lines("path,label,set", rows))
    assert obtained.train.metadata.columns == ["set"]


def test_one_file_under_two_spellings_counts_once(tmp_path, names):
    rows = [*zip(names, LABELS, strict=True), (f"./{names[0]}", "dog"), (tmp_path / names[1], "dog")]
    obtained, _ = loaded(tmp_path, lines("path,label", rows))
    assert obtained.record["counts"] == {"train": 16, "test": 4}
    assert [(item["what"][:10], item["n"]) for item in obtained.record["passed_over"]] == [
        ("rows for a", 1), ("rows that ", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "before", ["sep=;\n", "# made by hand\n", "# made by hand\n# in 2026\n", "\ufeff", "#"]
)
def test_what_stands_before_the_names_of_columns(tmp_path, names, before):
    text = before + "path;label\n" + "".join(f"{n};{c}\n" for n, c in zip(names, LABELS, strict=True))
    assert loaded(tmp_path, text)[0].record["counts"] == {"train": 16, "test": 4}


def test_forms_of_json(tmp_path, names):
    frame = pl.DataFrame({"path": names, "label": LABELS})
    by_row = {c: {str(i): v for i, v in enumerate(frame[c].to_list())} for c in frame.columns}
    by_file = {"label": dict(zip(names, LABELS, strict=True))}
    forms = [frame.to_dict(as_series=False), by_row, by_file["label"], by_file]
    for form in forms:
        obtained, _ = loaded(tmp_path, json.dumps(form), suffix=".json")
        whole = obtained.split("all")
        assert whole.files.tolist() == names
        assert [whole.classes[c] for c in whole.labels] == LABELS


def test_a_sheet_is_to_be_saved_as_csv(tmp_path):
    with pytest.raises(UsageError, match="Save the sheet as CSV"):
        loaded(tmp_path, "", suffix=".xlsx")


def test_minus_one_as_a_class_is_explained(tmp_path, names):
    with pytest.raises(DeepSightError, match="If -1 is a class, write 0 for it"):
        loaded(tmp_path, lines("path,label", zip(names, [1, -1] * (N // 2), strict=True)))


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_truth_values_keep_their_spelling_as_classes(tmp_path, names, yes, no):
    obtained, _ = loaded(tmp_path, lines("path,label", zip(names, [yes, no] * (N // 2), strict=True)))
    assert obtained.train.classes == tuple(sorted((yes, no)))
    rows = [
        (name, *((yes, no) if label == "cat" else (no, yes)))
        for name, label in zip(names, LABELS, strict=True)
    ]
    whole = loaded(tmp_path, lines("path,cat,dog", rows))[0].split("all")
    assert [whole.classes[c] for c in whole.labels] == LABELS


@pytest.mark.parametrize("column", ["Usage", "type", "mode"])
def test_a_column_that_holds_only_names_of_parts_is_the_split(tmp_path, names, column):
    parts = ["Training"] * 14 + ["PublicTest"] * 3 + ["PrivateTest"] * 3
    obtained, said = loaded(tmp_path, lines(f"path,label,{column}", zip(names, LABELS, parts, strict=True)))
    assert obtained.record["counts"] == {"train": 14, "val": 3, "test": 3}
    assert f"The column '{column}' is read as the part" in said


@pytest.mark.parametrize("column", ["is_train", "train", "Is Training"])
def test_a_flag_of_training_rows_holds_out_the_others(tmp_path, names, column):
    rows = [(n, c, i < 16) for i, (n, c) in enumerate(zip(names, LABELS, strict=True))]
    obtained, _ = loaded(tmp_path, lines(f"path,label,{column}", rows))
    assert obtained.record["counts"] == {"train": 16, "test": 4}


def test_a_column_of_patients_that_is_no_group_is_told(tmp_path, names):
    rows = [(n, c, i // 2) for i, (n, c) in enumerate(zip(names, LABELS, strict=True))]
    assert (
        "?group=patient_id keeps them together" in loaded(tmp_path, lines("path,label,patient_id", rows))[1]
    )


@pytest.mark.parametrize("write", ["\"['{}']\"", "{}\u200b", " {}\u00a0", "\ufeff{}"])
def test_lists_of_one_label_and_invisible_characters_change_no_class(tmp_path, names, write):
    rows = [
        (n, write.format(c) if i > 7 or "[" in write else c)
        for i, (n, c) in enumerate(zip(names, LABELS, strict=True))
    ]
    assert loaded(tmp_path, lines("path,label", rows))[0].train.classes == ("cat", "dog")


def test_lists_of_several_labels_are_refused(tmp_path, names):
    with pytest.raises(DeepSightError, match=r"received lists such as \['cat', 'small'\]"):
        loaded(tmp_path, lines("path,label", [(n, "\"['cat', 'small']\"") for n in names]))


def test_json_by_class_and_by_file(tmp_path, names):
    by_class = {
        label: [n for n, c in zip(names, LABELS, strict=True) if c == label] for label in ("cat", "dog")
    }
    by_file = {n: {"label": c, "age": 3} for n, c in zip(names, LABELS, strict=True)}
    lists = [{"path": n, "label": [c]} for n, c in zip(names, LABELS, strict=True)]
    for value in (by_class, {k: v[:-1] if k == "cat" else v for k, v in by_class.items()}, by_file, lists):
        whole = loaded(tmp_path, json.dumps(value), suffix=".json")[0].split("all")
        assert {
            whole.classes[c] == LABELS[names.index(f)] for f, c in zip(whole.files, whole.labels, strict=True)
        } == {True}
    assert len(loaded(tmp_path, json.dumps(lists), suffix=".csv")[0].split("all")) == N


def test_headers_of_joined_files_are_no_rows(tmp_path, names):
    rows = list(zip(names, LABELS, strict=True))
    text = lines("path,label", rows[:9]) + lines("path,label", rows[9:])
    assert len(loaded(tmp_path, text)[0].split("all")) == N


def test_utf_16_without_a_mark_of_its_order(tmp_path, names):
    for order in ("utf-16-le", "utf-16-be"):
        (tmp_path / "t.csv").write_bytes(lines("path,label", zip(names, LABELS, strict=True)).encode(order))
        assert len(load_dataset(f"table:{tmp_path}/t.csv").split("all")) == N


def test_a_path_in_two_parts_is_told(tmp_path, names):
    rows = [(n, c, "train") for n, c in zip(names, LABELS, strict=True)] + [(names[0], "dog", "test")]
    assert (
        "another part to a path that is listed already (1)"
        in loaded(tmp_path, lines("path,label,split", rows))[1]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("emotion,pixels\n1,7 7 7\n", "np.savez"),
        ("label," + ",".join(f"pixel{i}" for i in range(64)) + "\n" + ",".join(["1"] * 65), "np.savez"),
        ("path label\na.png cat\n", "Separate the columns by commas"),
        ('path,label\na.png,"cat\nb.png,dog\n', "not closed"),
    ],
)
def test_tables_of_other_content_are_refused_with_what_to_do(tmp_path, text, said):
    with pytest.raises(DeepSightError, match=said):
        loaded(tmp_path, text)
