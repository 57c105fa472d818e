"""Tables say how they were made, names are taken once, and the disk keeps both."""

import json

import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import FIXED_COLUMNS, Evidence, Table


def table(**changes) -> Table:
    fields = {
        "frame": pl.DataFrame({"class": ["cat", "dog"], "n": [3, 4]}),
        "units": {"class": "class name", "n": "images"},
        "n": 7,
        "method": "Counted.",
        "caption": "Images of each class.",
    }
    return Table(**{**fields, **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": {"class": "class name"}}, r"differ in \['n'\]"),
        ({"units": {"class": "", "n": "", "odd": ""}}, r"differ in \['odd'\]"),
        ({"n": -1}, "n of at least 0"),
        ({"method": ""}, "a method"),
        ({"caption": ""}, "a caption"),
    ],
)
def test_a_table_that_does_not_say_how_it_was_made_is_refused(change, message):
    with pytest.raises(DeepSightError, match=message):
        table(**change)


def test_units_cannot_be_changed_later():
    units = {"class": "class name", "n": "images"}
    made = table(units=units)
    units["n"] = "other"
    assert made.units["n"] == "images"
    with pytest.raises(TypeError):
        made.units["n"] = "other"


def test_a_name_that_is_taken_is_refused():
    evidence = Evidence().add(first=table())
    with pytest.raises(DeepSightError, match=r"received \['first'\] a second time"):
        evidence.add(first=table())
    with pytest.raises(DeepSightError, match="second time"):
        evidence.merge(evidence)


def test_adding_gives_a_new_collection_in_order():
    first = Evidence().add(z=table())
    second = first.add(a=table(), m=table())
    assert (list(first), list(second), len(second)) == (["z"], ["z", "a", "m"], 3)
    with pytest.raises(TypeError):
        second.tables["b"] = table()


@pytest.mark.parametrize("name", FIXED_COLUMNS)
def test_a_table_of_a_fixed_name_needs_its_columns(name):
    with pytest.raises(DeepSightError, match=f"in the evidence table '{name}'"):
        Evidence({name: table()})
    columns = FIXED_COLUMNS[name]
    whole = pl.DataFrame({column: [0] for column in (*columns, "more")})
    assert name in Evidence({name: table(frame=whole, units=dict.fromkeys(whole.columns, "unit"))})


def test_what_is_saved_is_loaded_in_order(tmp_path):
    evidence = Evidence().add(z=table(), a=table(frame=table().frame.clear()))
    evidence.save(tmp_path)
    again = Evidence.load(tmp_path)
    assert list(again) == ["z", "a"]
    assert again["z"].frame.equals(evidence["z"].frame)
    assert again["a"].frame.schema == evidence["a"].frame.schema
    assert again["z"].metadata() == evidence["z"].metadata()


def test_saving_more_keeps_what_was_there(tmp_path):
    Evidence().add(first=table()).save(tmp_path)
    Evidence().add(second=table()).save(tmp_path)
    assert list(Evidence.load(tmp_path)) == ["first", "second"]


def test_a_table_without_its_entry_in_the_index_does_not_count(tmp_path):
    Evidence().add(first=table()).save(tmp_path)
    (tmp_path / "second.parquet").write_bytes(b"half")
    assert list(Evidence.load(tmp_path)) == ["first"]
    assert list(json.loads((tmp_path / "index.json").read_text())) == ["first"]


def test_a_folder_without_an_index_holds_nothing(tmp_path):
    assert len(Evidence.load(tmp_path)) == 0
