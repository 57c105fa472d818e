"""Own images in folders: layouts, names, what is set aside and what is refused."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.cache import cache_folder
from deepsight.obtain.decoding import decode as decoded


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    return folder


def fill(folder, *, n=4, value=0, size=(20, 30)):
    """Images of one grey; the grey of image i is value + i."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.new("RGB", size, (value + i,) * 3).save(folder / f"image {i}.png")


def greys(data):
    return data.pixels()[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("names", [("train", "test"), ("train", "valid", "test")])
def test_parts_inside_the_class_folders_are_parts(root, names):
    for value, label in ((0, "cat"), (100, "dog")):
        for place, part in enumerate(names):
            fill(root / label / part, value=value + 10 * place)
    said = []
    obtained = load_dataset(f"folder:{root}", log=said.append)
    assert obtained.record["counts"] == dict.fromkeys(["train", "test", *["val"] * (len(names) - 2)], 4 * 2)
    assert sorted(greys(obtained.train)) == [0, 1, 2, 3, 100, 101, 102, 103]
    assert {str(name).split("/")[1] for name in obtained.test.files} == {"test"}
    assert "read as its parts" in " ".join(map(str, said))


def test_what_is_not_used_is_counted_once(root):
    fill(root / "cat")
    fill(root / "dog", value=100)
    (root / "run").mkdir()
    (root / "run/study.yaml").write_text("data: x")
    first, *others = load_dataset(f"folder:{root}").record["passed_over"]
    assert (first["n"], others) == (1, [])


def test_other_folders_inside_the_class_folders_are_no_parts(root):
    for label in ("cat", "dog"):
        for inside in ("train", "tram"):
            fill(root / label / inside)
    assert load_dataset(f"folder:{root}").record["held_out_test"]


def test_one_folder_a_class(root):
    fill(root / "red panda", value=100)
    fill(root / "Ähre 麦", value=200)
    obtained = load_dataset(f"folder:{root}")
    train, test = obtained.train, obtained.test
    assert train.classes == ("red panda", "Ähre 麦")
    assert train.images.shape[1:] == (20, 20, 3)  # as large as they are
    assert (train.source, test.source) == ("all", "all")
    assert sorted(train.ids.tolist() + test.ids.tolist()) == list(range(8))
    for data in (train, test):
        for row, grey, label in zip(data.ids, greys(data), data.labels, strict=True):
            assert grey == (100, 200)[label] + row % 4
    assert obtained.listed["all"][0] == "red panda/image 0.png"
    assert obtained.validation is None
    assert obtained.record["held_out_test"] == {"share": 0.2, "seed": 0}
    assert obtained.record["counts"] == {"train": 6, "test": 2}


def test_official_parts_are_kept(root):
    for place, value in (("Train", 10), ("validation", 20), ("test", 30)):
        fill(root / place / "a", value=value, n=2)
        fill(root / place / "b", value=100 + value, n=2)
    obtained = load_dataset(f"folder:{root}")
    assert greys(obtained.train) == [10, 11, 110, 111]
    assert greys(obtained.validation) == [20, 21, 120, 121]
    assert greys(obtained.test) == [30, 31, 130, 131]
    sources = [obtained.train.source, obtained.validation.source, obtained.test.source]
    assert sources == ["train", "val", "test"]
    assert obtained.record["held_out_test"] is None
    assert obtained.record["counts"] == {"train": 4, "val": 2 + 2, "test": 4}


def test_a_test_part_is_held_out_of_train_where_only_validation_is_there(root):
    for part in ("train", "val"):
        for name in "ab":
            fill(root / part / name, n=5)
    obtained = load_dataset(f"folder:{root}")
    assert (len(obtained.train), len(obtained.validation), len(obtained.test)) == (8, 10, 2)
    assert (obtained.train.source, obtained.test.source) == ("train", "train")


def test_the_side_may_be_asked_for(root):
    fill(root / "a"), fill(root / "b")
    assert load_dataset(f"folder:{root}?side=16").train.images.shape[1:] == (16, 16, 3)


def test_folders_below_a_class_belong_to_it_and_hidden_things_to_none(root):
    fill(root / "a" / "2024" / "may", n=4)
    fill(root / "b", n=4)
    fill(root / ".git", n=1)
    fill(root / "__MACOSX", n=1)
    (root / "b" / ".DS_Store").write_bytes(b"junk")
    (root / "notes.txt").write_text("not in a class")
    obtained = load_dataset(f"folder:{root}")
    assert obtained.train.classes == ("a", "b")
    assert obtained.record["counts"] == {"train": 6, "test": 2}
    assert obtained.record["quarantined"] == []


def test_what_cannot_be_read_is_set_aside_with_the_reason(root):
    fill(root / "a", n=5)
    fill(root / "b", n=5)
    whole = (root / "a" / "image 1.png").read_bytes()
    (root / "a" / "image 1.png").write_bytes(whole[: len(whole) // 2])
    (root / "b" / "notes.txt").write_text("hello")
    os.mkfifo(root / "b" / "pipe")
    (root / "b" / "dangling.png").symlink_to(root / "nowhere")
    said = []
    obtained = load_dataset(f"folder:{root}", log=said.append)
    reasons = {item["file"]: item["reason"] for item in obtained.record["quarantined"]}
    assert set(reasons) == {"a/image 1.png", "b/notes.txt", "b/pipe", "b/dangling.png"}
    assert reasons["b/notes.txt"].startswith("not an image")
    assert reasons["b/pipe"] == "not a regular file"
    assert reasons["b/dangling.png"] == os.strerror(2)
    assert len(obtained.train) + len(obtained.test) == 9
    assert "a/image 1.png" in obtained.listed["all"]
    assert "a/image 1.png" not in obtained.split("all").files
    assert any(line.startswith("Set aside: 4, the first: a/image 1.png") for line in said)


def test_a_name_that_is_no_text_is_spelt_out(root):
    fill(root / "a"), fill(root / "b")
    (root / os.fsdecode(b"b/\xff.png")).write_bytes(b"junk")
    [item] = load_dataset(f"folder:{root}").record["quarantined"]
    assert item["file"] == r"b/\udcff.png"


def test_two_spellings_of_an_accent_are_one_class(root):
    fill(root / "train" / unicodedata.normalize("NFD", "Bär"))
    fill(root / "train" / "Elch")
    fill(root / "test" / unicodedata.normalize("NFC", "Bär"))
    fill(root / "test" / "Elch")
    obtained = load_dataset(f"folder:{root}")
    assert obtained.train.classes == (unicodedata.normalize("NFC", "Bär"), "Elch")


@pytest.mark.parametrize("n", [1, 2])
def test_a_class_with_too_few_images_is_refused_with_the_reason(root, n):
    fill(root / "a", n=n), fill(root / "rare", n=n)
    with pytest.raises(DeepSightError, match=rf"two of another, received .*{n} of 'rare'"):
        load_dataset(f"folder:{root}")


def test_with_official_parts_fewer_are_enough(root):
    for part, n in (("train", 1), ("val", 1), ("test", 1)):
        fill(root / part / "a", n=n), fill(root / part / "b", n=n)
    assert len(load_dataset(f"folder:{root}").train) == 2


def test_a_class_that_train_lacks_is_refused_and_one_that_test_lacks_is_told(root):
    for name in "abc":
        fill(root / "train" / name)
    fill(root / "test" / "a"), fill(root / "test" / "b")
    said = []
    load_dataset(f"folder:{root}", log=said.append)
    assert "The test part has no image of 'c'" in said[-1]
    fill(root / "test" / "d")
    with pytest.raises(DeepSightError, match="received none of 'd', but 4 in test"):
        load_dataset(f"folder:{root}")


def test_a_class_may_be_named_train(root):
    fill(root / "train"), fill(root / "plane")
    assert load_dataset(f"folder:{root}").train.classes == ("plane", "train")


@pytest.mark.parametrize("beside", ["labels", "training"])
def test_parts_beside_other_folders_are_refused(root, beside):
    fill(root / "train" / "a"), fill(root / "train" / "b")
    fill(root / beside / "a")
    with pytest.raises(UsageError, match="Move what does not belong there"):
        load_dataset(f"folder:{root}")


def test_a_test_part_without_a_train_part_is_refused(root):
    fill(root / "test" / "a"), fill(root / "test" / "b")
    with pytest.raises(UsageError, match=r"received only .'test'."):
        load_dataset(f"folder:{root}")


def test_what_is_no_folder_of_classes_is_refused(root, tmp_path):
    with pytest.raises(UsageError, match="Expected a folder with one folder per class"):
        load_dataset(f"folder:{tmp_path / 'absent'}")
    fill(root / "alone")
    with pytest.raises(DeepSightError, match="at least two class folders"):
        load_dataset(f"folder:{root}")


def test_an_empty_part_is_refused(root):
    fill(root / "train" / "a"), fill(root / "train" / "b")
    (root / "test" / "a").mkdir(parents=True)
    with pytest.raises(DeepSightError, match=r"Expected images in folder:.* \(test\), received none"):
        load_dataset(f"folder:{root}")


def counting(monkeypatch):
    calls = []
    decode = decoded.decode_picture
    monkeypatch.setattr(decoded, "decode_picture", lambda *a, **k: calls.append(1) or decode(*a, **k))
    return calls


def test_images_are_decoded_once_until_a_file_changes(root, monkeypatch):
    fill(root / "a"), fill(root / "b")
    (root / "b" / "notes.txt").write_text("hello")
    calls = counting(monkeypatch)
    first = load_dataset(f"folder:{root}")
    assert len(calls) == 9
    second = load_dataset(f"folder:{root}")
    assert len(calls) == 9
    assert second.record == first.record
    assert second.listed == first.listed
    assert second.train.files.tolist() == first.train.files.tolist()
    np.testing.assert_array_equal(second.train.pixels(), first.train.pixels())
    os.utime(root / "a" / "image 0.png", ns=(1, 1))
    load_dataset(f"folder:{root}")
    assert len(calls) == 18
    load_dataset(f"folder:{root}?side=16")
    assert len(calls) == 27


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_damaged_cache_is_made_anew(root, damage):
    fill(root / "a"), fill(root / "b")
    first = load_dataset(f"folder:{root}")
    [pixels] = cache_folder().rglob("all_images.npy")
    content = pixels.read_bytes()
    pixels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if damage == "remove":
        pixels.unlink()
    second = load_dataset(f"folder:{root}")
    assert second.record == first.record
    np.testing.assert_array_equal(greys(second.train), greys(first.train))
    assert greys(second.test) == greys(first.test)
    assert pixels.read_bytes() == content


def test_an_interrupted_decode_leaves_nothing_that_is_trusted(root, monkeypatch):
    fill(root / "a"), fill(root / "b")

    def interrupt(*arguments, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(decoded, "decode_picture", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_dataset(f"folder:{root}")
    assert [path for path in cache_folder().rglob("*") if path.is_file()] == []
    assert len(load_dataset(f"folder:{root}").train) == 6


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(root, tmp_path, monkeypatch):
    fill(root / "a"), fill(root / "b")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DeepSightError, match=r"Expected to write .* A file is in the way"):
        load_dataset(f"folder:{root}")


@pytest.mark.parametrize("train", ["training_set", "Train", "train-images", "seg_train/seg_train"])
def test_folders_that_are_named_as_parts_are_no_classes(root, train):
    fill(root / train / "sea", value=10)
    fill(root / train.replace("rain", "est").replace("testing", "test") / "sea", value=30)
    fill(root / train / "ice", value=110)
    fill(root / train.replace("rain", "est").replace("testing", "test") / "ice", value=130)
    obtained = load_dataset(f"folder:{root}")
    assert obtained.train.classes == ("ice", "sea")
    assert greys(obtained.test) == [130, 131, 132, 133, 30, 31, 32, 33]


def test_a_class_may_end_like_a_part(root):
    fill(root / "freight train" / "by day")
    fill(root / "car" / "by day", value=100)
    assert load_dataset(f"folder:{root}").train.classes == ("car", "freight train")


def test_class_folders_that_all_hold_the_same_folders_are_said_to(root):
    for outer in ("camera 1", "camera 2"):
        for place, inner in enumerate(("cat", "dog")):
            fill(root / outer / inner, value=100 * place)
    said: list[str] = []
    obtained = load_dataset(f"folder:{root}", log=said.append)
    assert obtained.train.classes == ("camera 1", "camera 2")
    assert any("folders of the same names (cat, dog)" in line for line in said)


def test_what_was_not_meant_as_a_folder_of_classes_is_refused_with_what_to_name(root):
    fill(root / "photos" / "cat")
    fill(root / "photos" / "dog")
    with pytest.raises(DeepSightError, match=r"If they lie in photos, name it: --data folder:.*photos"):
        load_dataset(f"folder:{root}")
    (root / "photos").rename(root / "test")
    with pytest.raises(UsageError, match=r"received only \['test'\].*folder:.*test; .*--split all"):
        load_dataset(f"folder:{root}")
    (root / "photos.zip").touch()
    with pytest.raises(UsageError, match="Unpack it"):
        load_dataset(f"folder:{root / 'photos.zip'}")


@pytest.mark.parametrize(("name", "other"), [("Cat", "cat"), ("red fox", "red_fox"), ("fox", "fox ")])
def test_class_names_that_are_spelt_otherwise_between_parts_are_named(root, name, other):
    for place in (f"train/{name}", "train/Dog", f"test/{other}", "test/Dog"):
        fill(root / place)
    with pytest.raises(DeepSightError, match=f"There is also '{name}': give both one spelling"):
        load_dataset(f"folder:{root}")


def test_frames_after_the_first_are_said_to_be_passed_over(root):
    fill(root / "a")
    fill(root / "b", value=100)
    frames = [Image.new("RGB", (20, 20), (60 * i,) * 3) for i in range(3)]
    frames[0].save(root / "b" / "moving.gif", save_all=True, append_images=frames[1:])
    for _ in range(2):  # the second time from the cache
        passed_over = load_dataset(f"folder:{root}").record["passed_over"]
        assert [(item["n"], item["first"]) for item in passed_over] == [(1, "b/moving.gif")]
        assert "frames or pages after the first" in passed_over[0]["what"]


def test_masks_are_no_images_of_a_class(root):
    for value, name in ((10, "benign"), (100, "malignant")):
        fill(root / name / "images", value=value)
        fill(root / name / "masks", value=255, n=1)
        Image.new("L", (20, 30), 255).save(root / name / "images/image 0_mask_1.png")
        Image.new("RGB", (20, 30)).save(root / name / "images/death_mask.png")  # no mask of another file
    obtained = load_dataset(f"folder:{root}")
    assert obtained.record["counts"] == {"train": 8, "test": 2}
    assert {item["what"]: item["n"] for item in obtained.record["passed_over"]} == {
        "folders of masks beside images": 2, "masks beside their pictures": 2,
    }  # fmt: skip


def test_test_images_without_classes_are_not_used(root):
    fill(root / "train/a", value=10)
    fill(root / "train/b", value=100)
    fill(root / "test", value=200)
    obtained = load_dataset(f"folder:{root}")
    assert obtained.record["counts"] == {"train": 6, "test": 2}
    assert obtained.record["passed_over"][0]["n"] == 4
    assert max(greys(obtained.split("all"))) < 200


def test_a_folder_of_images_between_part_and_classes(root):
    for part in ("train", "eval"):
        fill(root / part / "images/a", value=10)
        fill(root / part / "images/b", value=100)
    (root / "logs").mkdir()
    (root / "logs/notes.txt").write_text("no picture")
    obtained = load_dataset(f"folder:{root}")
    assert obtained.train.classes == ("a", "b")
    assert obtained.record["counts"] == {"train": 6, "val": 8, "test": 2}


def test_one_class_folder_in_each_part_is_refused_with_a_sentence(root):
    for part in ("train", "test"):
        fill(root / part / "images")
    with pytest.raises(DeepSightError, match=r"at least two class folders .* received \['images'\]"):
        load_dataset(f"folder:{root}")


def test_why_a_class_has_no_image(root):
    fill(root / "a")
    fill(root / "b")
    (root / "b2").mkdir()
    (root / "b2/scan.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(DeepSightError, match=r"none of 'b2'.* set aside: b2/scan\.dcm \(.*DICOM"):
        load_dataset(f"folder:{root}")
