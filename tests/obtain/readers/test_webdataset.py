"""Own images in WebDataset shards: here, over HTTP and from an object store, whole and damaged."""

import json
import os
from pathlib import Path

import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.readers.webdataset_index import label_value
from made_shards import ObjectStoreHandler, file_server, grey_samples, png, write_shard


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three shards of eight pictures each."""
    folder = tmp_path / "shards"
    for i in range(3):
        write_shard(folder / f"set-{i:03d}.tar", grey_samples(8 * i, 8))
    return folder


def greys(data) -> list[int]:
    return data.pixels()[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("pattern", ["set-{000..002}.tar", "set-*.tar", "set-{000,001,002}.tar"])
def test_shards_are_read_in_order_with_labels_and_metadata(shards, pattern):
    whole = load_dataset(f"webdataset:{shards}/{pattern}").split("all")
    assert greys(whole) == list(range(24))
    assert whole.labels.tolist() == [i % 2 for i in range(24)]
    assert whole.classes == ("0", "1")
    assert whole.files[9] == "set-001.tar/000009.png"
    assert whole.metadata["camera"].to_list() == [f"c{i % 3}" for i in range(24)]


def test_classes_groups_and_parts_are_named_by_options(shards):
    write_shard(shards / "held.tar", grey_samples(100, 6))
    obtained = load_dataset(
        f"webdataset:{shards}/set-*.tar?test={shards}/held.tar&classes=cat,dog&group=camera"
    )
    assert obtained.train.classes == ("cat", "dog")
    assert greys(obtained.test) == list(range(100, 106))
    assert len(set(obtained.train.groups.tolist())) == 3


def test_a_label_may_stand_in_the_json_as_text(tmp_path):
    samples = [
        (f"a/{i}", {"jpg": png(i), "json": json.dumps({"what": "ab"[i % 2]}).encode()}) for i in range(12)
    ]
    write_shard(tmp_path / "one.tar", samples)
    whole = load_dataset(f"webdataset:{tmp_path}/one.tar?label=what").split("all")
    assert whole.classes == ("a", "b")
    assert whole.files[0] == "one.tar/a/0.jpg"


@pytest.mark.parametrize(
    ("given", "label"),
    [("-1", None), ("7", 7), ("--5", "--5"), ("9" * 5000, "9" * 5000), (3.0, 3), ("", None), (True, None)],
)
def test_a_label_is_a_number_only_if_it_is_written_as_one(given, label):
    assert label_value(given) == label


def test_an_entry_may_have_any_name(shards, tmp_path):
    samples = [(f"{i}", {"png": png(i), "json": json.dumps({"../a/b": i % 2}).encode()}) for i in range(8)]
    write_shard(tmp_path / "odd.tar", samples)
    whole = load_dataset(f"webdataset:{tmp_path}/odd.tar?label=../a/b").split("all")
    assert whole.labels.tolist() == [0, 1] * 4


@pytest.mark.slow
def test_the_same_images_come_over_http_and_from_a_file(shards):
    here = load_dataset(f"webdataset:{shards}/set-{{000..002}}.tar").split("all")
    with file_server(shards) as url:
        there = load_dataset(f"webdataset:{url}/set-{{000..002}}.tar").split("all")
    assert (here.pixels() == there.pixels()).all()
    assert here.files.tolist() == there.files.tolist()


@pytest.mark.slow
def test_the_same_images_come_from_an_object_store(shards, monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with file_server(shards.parent, ObjectStoreHandler) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        there = load_dataset(f"webdataset:s3://{shards.name}/set-*.tar").split("all")
    assert greys(there) == list(range(24))


def test_a_broken_shard_costs_itself_and_is_said(shards):
    (shards / "set-001.tar").write_bytes(b"no tar file" * 100)
    said: list[str] = []
    obtained = load_dataset(f"webdataset:{shards}/set-*.tar", log=lambda x: said.append(str(x)))
    assert greys(obtained.split("all")) == [*range(8), *range(16, 24)]
    assert obtained.record["passed_over"][0]["what"] == "shards that cannot be read"
    assert any("set-001.tar" in line for line in said)


def test_a_shard_that_was_cut_off_keeps_what_is_whole(shards):
    path = shards / "set-001.tar"
    os.truncate(path, 9000)
    obtained = load_dataset(f"webdataset:{shards}/set-*.tar")
    found = greys(obtained.split("all"))
    assert found[:8] == list(range(8))
    assert found[-8:] == list(range(16, 24))
    assert 16 < len(found) < 24


def test_a_changed_shard_is_decoded_again(shards):
    name = f"webdataset:{shards}/set-*.tar"
    load_dataset(name)
    write_shard(shards / "set-002.tar", grey_samples(200, 8))
    assert greys(load_dataset(name).split("all"))[-8:] == list(range(200, 208))


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        ("{folder}/none-*.tar", UsageError, "none"),
        ("{folder}/text.tar", DeepSightError, "text.tar"),
        ("s3://pictures/x.tar", UsageError, "offline"),
        ("odd://pictures/x.tar", DeepSightError, "odd"),
        ("{folder}/set-*.tar?group=nothing", UsageError, "camera"),
        ("{folder}/set-*.tar?classes=a", UsageError, "different name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(shards, place, error, said):
    (shards / "text.tar").write_text("hello")
    with pytest.raises(error, match=said):
        load_dataset("webdataset:" + place.format(folder=shards), offline=True)


def test_an_archive_of_class_folders_is_refused_with_what_to_do(tmp_path):
    samples = [(f"photos/{'cat' if i % 2 else 'dog'}/{i}", {"png": png(i)}) for i in range(8)]
    write_shard(tmp_path / "photos.tar", samples)
    with pytest.raises(DeepSightError, match="folders in the archive are the classes, unpack it"):
        load_dataset(f"webdataset:{tmp_path}/photos.tar")
