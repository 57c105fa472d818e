"""Data through the `datasets` library: its own small data sets where it is installed, stand-ins where not."""

import io
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image as PillowImage

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import silent
from deepsight.obtain import load_dataset
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.readers import huggingface
from deepsight.obtain.sources import SourceError


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


class Image:
    """Stands for `datasets.Image`: a kind of column."""

    def __init__(self, decode=True):
        self.decode = decode


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Value:
    pass


class Columns:
    """Stands for a `datasets.Dataset`: columns, and rows as mappings."""

    def __init__(self, features, columns, file):
        self.features, self.columns = features, columns
        self.cache_files = [{"filename": str(file)}]

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self.columns[key]
        return {name: column[key] for name, column in self.columns.items()}

    def select_columns(self, names):
        return Columns({n: self.features[n] for n in names}, {n: self.columns[n] for n in names}, "")

    def cast_column(self, name, feature):
        assert not feature.decode, "the library would decode the images itself"
        return self


def png(grey):
    file = io.BytesIO()
    PillowImage.new("L", (20, 10), grey).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def table(tmp_path):
    """Makes a table of greys; the label of row i is labels[i]."""

    def make(labels, feature, *, start=0):
        items = [{"bytes": png(start + i), "path": None} for i in range(len(labels))]
        return Columns({"picture": Image(), "kind": feature}, {"picture": items, "kind": labels}, tmp_path)

    return make


@pytest.fixture
def library(monkeypatch):
    """Puts a module named `datasets` in place, whose `load_dataset` gives this."""

    def install(result):
        module = ModuleType("datasets")
        module.Image = Image
        module.load_dataset = lambda place, config: result
        monkeypatch.setitem(sys.modules, "datasets", module)
        monkeypatch.setattr(huggingface, "require_answer", lambda url: 200)

    return install


def test_columns_are_found_by_their_kind(table, library):
    library({"train": table([0, 1] * 5, ClassLabel(["cat", "dog"]))})
    obtained = load_dataset("hf:someone/pets?side=8")
    assert obtained.train.classes == ("cat", "dog")
    assert (len(obtained.train), len(obtained.test)) == (8, 2)
    for data in (obtained.train, obtained.test):
        np.testing.assert_array_equal(data.pixels()[:, 0, 0, 0], data.ids)
        np.testing.assert_array_equal(data.labels, data.ids % 2)
    assert obtained.record["data"] == "hf:someone/pets"


def test_official_parts_are_kept(table, library):
    label = ClassLabel(["cat", "dog"])
    parts = {"train": 0, "validation": 50, "test": 100, "extra": 150}
    library({part: table([0, 1] * 2, label, start=start) for part, start in parts.items()})
    obtained = load_dataset("hf:pets")
    assert obtained.train.pixels()[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert obtained.validation.pixels()[:, 0, 0, 0].tolist() == [50, 51, 52, 53]
    assert obtained.test.pixels()[:, 0, 0, 0].tolist() == [100, 101, 102, 103]


def test_labels_are_mapped_by_name_where_the_parts_name_them_in_another_order(table, library):
    train = table([0, 1, 2] * 2, ClassLabel(["cat", "dog", "owl"]))
    test = table([2, 0, 1], ClassLabel(["owl", "dog", "cat"]))
    library({"train": train, "test": test})
    obtained = load_dataset("hf:pets")
    assert obtained.test.classes == ("cat", "dog", "owl")
    assert obtained.test.labels.tolist() == [0, 2, 1]
    library({"train": train, "test": table([1, 0], ClassLabel(["dog", "owl"]))})
    assert load_dataset("hf:pets").test.labels.tolist() == [2, 1]


def test_numbers_without_names_are_read_by_the_names_of_train_and_this_is_said(table, library):
    said = []
    library({"train": table([0, 1] * 2, ClassLabel(["cat", "dog"])), "test": table([1, 0], Value())})
    obtained = load_dataset("hf:pets?label=kind", log=said.append)
    assert obtained.test.labels.tolist() == [1, 0]
    assert any("labels of test have no names" in line for line in said)


@pytest.mark.parametrize("labels", [[-1] * 4, [None] * 4])
def test_a_part_without_labels_is_not_used_and_named(table, library, labels):
    feature = ClassLabel(["cat", "dog"])
    library({"train": table([0, 1] * 5, feature), "test": table(labels, feature)})
    record = load_dataset("hf:pets").record
    assert record["counts"] == {"train": 8, "test": 2}
    assert record["passed_over"] == [{"what": "parts without a single label", "n": 1, "first": "test"}]


def test_a_part_without_the_column_and_parts_that_nobody_knows_are_named(table, library):
    feature = ClassLabel(["cat", "dog"])
    bare = table([0] * 3, feature)
    del bare.features["kind"]
    library({"train": table([0, 1] * 5, feature), "test": bare, "unsupervised": table([0], feature)})
    record = load_dataset("hf:pets").record
    assert record["passed_over"] == [
        {"what": "parts", "n": 1, "first": "unsupervised"},
        {"what": "parts without a column kind", "n": 1, "first": "test"},
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0], [1]] * 4, r"one label per image in the column 'kind', as text.* received \[0\]"),
        ([0.5, 1.0] * 4, "received 0.5"),
        ([0, "cat"] * 4, "as text or as numbers, received both"),
    ],
)
def test_what_is_no_label_is_refused_with_a_sentence(table, library, labels, message):
    library(table(labels, Value()))
    with pytest.raises(DeepSightError, match=message):
        load_dataset("hf:pets?label=kind")


def test_a_label_beyond_its_names_is_refused(table, library):
    library(table([0, 1, 7] * 4, ClassLabel(["cat", "dog"])))
    with pytest.raises(DeepSightError, match=r"among the 2 names .'cat', 'dog'., received 7"):
        load_dataset("hf:pets")


@pytest.mark.parametrize("labels", [[0.0, 1.0], [False, True]])
def test_whole_numbers_of_any_type_are_labels(table, library, labels):
    library(table(labels * 5, Value()))
    assert load_dataset("hf:pets?label=kind").train.classes == ("0", "1")


def test_columns_may_be_named_and_values_become_classes(table, library):
    library(table(["dog", "ant"] * 5, Value()))
    obtained = load_dataset("hf:pets?image=picture&label=kind")
    assert obtained.train.classes == ("ant", "dog")


def test_items_without_a_label_or_an_image_are_set_aside(table, library):
    data = table([0, 1] * 5 + [None, -1, 0], ClassLabel(["cat", "dog"]))
    data.columns["picture"][12] = None
    library(data)
    reasons = {item["file"]: item["reason"] for item in load_dataset("hf:pets").record["quarantined"]}
    assert reasons == {"all/10": "it has no label", "all/11": "it has no label", "all/12": "it has no image"}


def test_images_may_lie_in_files(table, library, tmp_path):
    data = table([0, 1] * 5, ClassLabel(["cat", "dog"]))
    (tmp_path / "seven.png").write_bytes(png(7))
    data.columns["picture"][7] = {"bytes": None, "path": str(tmp_path / "seven.png")}
    library(data)
    obtained = load_dataset("hf:pets")
    values = {**dict(zip(obtained.train.ids, obtained.train.pixels()[:, 0, 0, 0], strict=True))}
    values |= dict(zip(obtained.test.ids, obtained.test.pixels()[:, 0, 0, 0], strict=True))
    assert values[7] == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:pets", "Expected one column of kind ClassLabel, received .* Name it: .label=COLUMN"),
        ("hf:pets?label=knid", "for 'label', received 'knid'; did you mean 'kind'"),
        ("hf:pets?label=kind&image=pic", "did you mean 'picture'"),
    ],
)
def test_a_column_that_cannot_be_told_is_refused(table, library, name, message):
    library(table([0, 1] * 5, Value()))
    with pytest.raises(UsageError, match=message):
        load_dataset(name)


def test_parts_without_train_are_refused(table, library):
    library({"test": table([0, 1], ClassLabel(["a", "b"]))})
    with pytest.raises(DeepSightError, match=r"Expected a part named train, received .'test'."):
        load_dataset("hf:pets")


def test_what_the_library_says_is_passed_on(library, monkeypatch):
    library(None)

    def fail(place, config):
        raise RuntimeError("Dataset 'pets' doesn't exist on the Hub\nTraceback")

    sys.modules["datasets"].load_dataset = fail
    with pytest.raises(
        DeepSightError, match=r"failed: Dataset 'pets' doesn't exist on the Hub\. Check the name"
    ):
        load_dataset("hf:pets")


def test_without_the_library_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DeepSightError, match=r"pip install 'deepsight-forensics\[hub\]'"):
        load_dataset("hf:pets", offline=True)


def test_a_silent_hub_and_offline_set_the_client_offline(monkeypatch):
    def silent_hub(url):
        raise SourceError(f"{url} cannot be reached")

    monkeypatch.setattr(huggingface, "require_answer", silent_hub)
    said = []
    huggingface.choose_network(offline=False, log=said.append)
    assert huggingface.os.environ["HF_HUB_OFFLINE"] == "1"
    assert "only data in the hub's local cache" in said[0]
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface, "require_answer", lambda url: pytest.fail("the network was used"))
    huggingface.choose_network(offline=True, log=silent)
    assert huggingface.os.environ["HF_HUB_OFFLINE"] == "1"


def test_another_table_has_another_fingerprint(table, tmp_path):
    data = table([0, 1], ClassLabel(["a", "b"]))
    address = DataAddress("hf", "pets", {})
    first = huggingface.columns_fingerprint(address, {"train": data})
    assert first == huggingface.columns_fingerprint(address, {"train": data})
    assert first != huggingface.columns_fingerprint(
        address, {"train": table([0, 1, 0], ClassLabel(["a", "b"]))}
    )
    assert first != huggingface.columns_fingerprint(
        DataAddress("hf", "pets", {"image": "x"}), {"train": data}
    )
    assert first != huggingface.columns_fingerprint(address, {"test": data})
    (tmp_path / "new").write_text("the folder changes")
    assert first != huggingface.columns_fingerprint(address, {"train": data})


@pytest.mark.parametrize("saved", [True, False])
def test_the_library_s_own_data_sets(tmp_path, monkeypatch, saved):
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "pets"
    if saved:
        columns = {"image": [{"bytes": png(i), "path": None} for i in range(10)], "label": [0, 1] * 5}
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
        )
        datasets.Dataset.from_dict(columns, features=features).save_to_disk(folder)
    else:
        for i in range(10):
            (folder / ("cat", "dog")[i % 2]).mkdir(parents=True, exist_ok=True)
            (folder / ("cat", "dog")[i % 2] / f"{i}.png").write_bytes(png(i))
    obtained = load_dataset(f"hf:{folder}?side=8")
    assert obtained.train.classes == ("cat", "dog")
    assert (len(obtained.train), len(obtained.test)) == (8, 2)
    np.testing.assert_array_equal(obtained.train.labels, obtained.train.pixels()[:, 0, 0, 0] % 2)
