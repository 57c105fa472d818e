"""Own images as arrays: every layout that is allowed, and a sentence for every other."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.cache import cache_folder
from deepsight.obtain.readers import npz, npz_images


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def real(cifar10):
    """Rows of real images with six of each class."""
    train, _ = cifar10
    rows = np.concatenate([np.flatnonzero(train.labels == label)[:6] for label in range(10)])
    return train.select(rows)


def saved(tmp_path, *, save=np.savez, **content):
    save(tmp_path / "mine.npz", **content)
    return f"arrays:{tmp_path / 'mine.npz'}"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_labels_and_classes(real, tmp_path, save):
    name = saved(tmp_path, save=save, images=real.pixels(), labels=real.labels, classes=real.classes)
    obtained = load_dataset(name)
    assert obtained.train.classes == real.classes
    assert (len(obtained.train), len(obtained.test)) == (50, 10)
    for data in (obtained.train, obtained.test):
        assert data.source == "all"
        np.testing.assert_array_equal(data.pixels(), real.pixels(data.ids))
        np.testing.assert_array_equal(data.labels, real.labels[data.ids])


def test_an_official_test_part_is_kept(real, tmp_path):
    name = saved(
        tmp_path,
        images=real.pixels(),
        labels=real.labels[:, None],
        test_images=real.pixels(slice(20)),
        test_labels=real.labels[:20].astype(np.uint8),
    )
    obtained = load_dataset(name)
    assert (obtained.train.source, obtained.test.source) == ("train", "test")
    assert obtained.train.classes == tuple("0123456789")
    np.testing.assert_array_equal(obtained.test.pixels(), real.pixels(slice(20)))
    np.testing.assert_array_equal(obtained.train.labels, real.labels)


def test_greys_become_three_equal_channels(tmp_path):
    greys = np.random.default_rng(0).integers(0, 256, (12, 7, 5), dtype=np.uint8)
    obtained = load_dataset(saved(tmp_path, images=greys, labels=np.array(["b", "a"] * 6)))
    assert obtained.train.classes == ("a", "b")
    assert obtained.train.images.shape[1:] == (7, 5, 3)
    for channel in range(3):
        np.testing.assert_array_equal(obtained.train.pixels()[..., channel], greys[obtained.train.ids])


def test_the_result_does_not_depend_on_the_size_of_the_chunks(real, tmp_path, monkeypatch):
    name = saved(tmp_path, images=real.pixels(), labels=real.labels)
    first = load_dataset(name)
    monkeypatch.setattr(npz_images, "CHUNK_BYTES", 5_000)
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "other"))
    assert load_dataset(name).record == first.record


def test_the_copy_is_used_again_unless_it_is_damaged(real, tmp_path, monkeypatch):
    name = saved(tmp_path, images=real.pixels(), labels=real.labels)
    first = load_dataset(name)
    with monkeypatch.context() as patched:
        patched.setattr(npz, "write_images", lambda *a, **k: pytest.fail("copied again"))
        assert load_dataset(name).record == first.record
    [pixels] = cache_folder().rglob("all_images.npy")
    content = pixels.read_bytes()
    pixels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert load_dataset(name).record == first.record
    assert pixels.read_bytes() == content


IMAGES, LABELS = np.zeros((6, 4, 4, 3), np.uint8), np.array([0, 1] * 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"images": IMAGES}, "labels"),
        ({"labels": LABELS}, "images"),
        ({"images": IMAGES.astype(np.int8) - 1, "labels": LABELS}, "images are int8 from -1 to 0"),
        ({"images": IMAGES.reshape(6, -1), "labels": LABELS}, r"images are uint8 \(6, 48\)"),
        ({"images": IMAGES[:, :1, :1], "labels": LABELS}, "at least 3 pixels a side"),
        ({"images": IMAGES, "labels": np.eye(2)[LABELS]}, r"labels are of shape \(6, 2\).*argmax"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "there is no image"),
        ({"images": IMAGES, "labels": np.int64(3)}, r"labels are of shape \(\)"),
        ({"images": IMAGES, "labels": (LABELS - 7).astype(np.int8)}, "labels are int8 from -7 to -6"),
        ({"images": IMAGES, "labels": LABELS + 1, "classes": ["a", "b"]}, "they seem to start at 1"),
        ({"images": IMAGES, "labels": LABELS, "classes": np.array("cat")}, r"classes are of shape \(\)"),
        ({"images": IMAGES, "labels": LABELS, "classes": ["a", "a"]}, "expected different names"),
        (
            {"images": IMAGES, "labels": np.array(["a", "x"] * 3), "classes": ["a", "b"]},
            "'x'. are not",
        ),
        (
            {"images": IMAGES, "labels": LABELS, "test_images": IMAGES[:, :3], "test_labels": LABELS},
            "different heights and widths",
        ),
        ({"images": np.asfortranarray(IMAGES), "labels": LABELS}, "in Fortran order"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "6 images but 5 labels"),
        ({"images": IMAGES, "labels": LABELS / 2}, "labels are float64"),
        ({"images": IMAGES, "labels": LABELS, "classes": ["one"]}, "labels from 0 to 1 beside 1 classes"),
        ({"images": IMAGES, "labels": LABELS - 1, "classes": ["a", "b"]}, "received none of 'b'"),
        ({"images": IMAGES, "labels": np.array(["a"] * 6, dtype=object)}, "labels are Python objects"),
        ({"images": IMAGES, "labels": LABELS, "test_images": IMAGES}, "test_labels"),
        ({"images": IMAGES, "labels": np.zeros(6, int)}, "at least two classes"),
        ({"images": IMAGES, "labels": np.array([0] * 5 + [1])}, "received 1 of '1'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(tmp_path, content, reason):
    with pytest.raises(DeepSightError, match=reason):
        load_dataset(saved(tmp_path, **content))


@pytest.mark.parametrize("kept", [0, 100, 300, 700])
def test_a_damaged_file_is_refused(real, tmp_path, kept):
    name = saved(tmp_path, images=real.pixels(), labels=real.labels)
    path = tmp_path / "mine.npz"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DeepSightError, match=r"Expected .*mine.npz as an .npz file"):
        load_dataset(name)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"Expected an \.npz file"):
        load_dataset(f"arrays:{tmp_path / 'absent.npz'}")


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x / 255.0,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.uint16) * 257,
        lambda x: x.astype(np.int64),
        lambda x: np.ascontiguousarray(x.transpose(0, 3, 1, 2)),
    ],
)
def test_the_range_and_the_channels_are_found_from_the_data(tmp_path, change):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3), dtype=np.uint8)
    pixels[0, 0, 0, 0] = 255
    obtained = load_dataset(saved(tmp_path, images=change(pixels), labels=LABELS[[0, 1] * 6]))
    np.testing.assert_array_equal(obtained.split("all").pixels(), pixels)


def test_twelve_bits_in_sixteen_become_eight(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (12, 6, 7), dtype=np.uint16)
    obtained = load_dataset(saved(tmp_path, images=pixels, labels=LABELS[[0, 1] * 6]))
    expected = np.rint(pixels / 4095 * 255)
    np.testing.assert_array_equal(obtained.split("all").pixels()[..., 0], expected)


@pytest.mark.parametrize(
    "names",
    ["x_train y_train x_test y_test", "train_images train_labels test_images test_labels"],
)
def test_the_names_of_other_libraries_are_understood(real, tmp_path, names):
    content = (real.pixels(), real.labels, real.pixels(slice(20)), real.labels[:20])
    obtained = load_dataset(saved(tmp_path, **dict(zip(names.split(), content, strict=True))))
    assert obtained.record["counts"] == {"train": 60, "test": 20}


def test_a_validation_part_is_used_and_other_arrays_are_named(real, tmp_path):
    said = []
    name = saved(
        tmp_path, images=real.pixels(), labels=real.labels, val_images=real.pixels(slice(20)),
        val_labels=real.labels[:20], notes=np.zeros(3), test_labels=real.labels,
    )  # fmt: skip
    obtained = load_dataset(name, log=said.append)
    assert obtained.record["counts"]["val"] == 20
    assert obtained.record["passed_over"] == [{"what": "arrays", "n": 2, "first": "notes"}]
    assert "Not used: arrays (2), the first: notes." in said


def test_images_without_a_label_are_left_out_and_counted(real, tmp_path):
    labels = np.where(np.arange(60) == 7, -1, real.labels)
    obtained = load_dataset(saved(tmp_path, images=real.pixels(), labels=labels))
    whole = obtained.split("all")
    np.testing.assert_array_equal(whole.pixels(), np.delete(real.pixels(), 7, axis=0))
    [noted] = obtained.record["passed_over"]
    assert noted == {"what": "images without a label", "n": 1, "first": "row 7"}


def test_text_labels_are_mapped_to_the_classes_by_name(real, tmp_path):
    labels = np.array(real.classes)[real.labels]
    order = real.classes[::-1]
    obtained = load_dataset(saved(tmp_path, images=real.pixels(), labels=labels, classes=order))
    whole = obtained.split("all")
    assert whole.classes == order
    np.testing.assert_array_equal(np.array(order)[whole.labels], labels)


LABELS = np.arange(12) % 2


def mean_of(tmp_path, images, said=None, **content):
    name = saved(tmp_path, images=images, labels=LABELS, **content)
    log = (lambda line: None) if said is None else said.append
    return load_dataset(name, log=log).split("all").pixels().mean()


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (16, np.float64), (16, np.uint8), (1, np.uint8), (100, np.int32), (1.0000001, np.float64),
        (1, np.float32),
    ],
)  # fmt: skip
def test_small_numbers_are_not_left_black(tmp_path, scale, kind):
    shares = np.random.default_rng(0).random((12, 8, 8))
    shares[0, 0, 0] = 1
    whole = (shares * scale).round() if np.dtype(kind).kind in "iu" else shares * scale
    expected = 255 * whole.mean() / scale
    assert mean_of(tmp_path, whole.astype(kind)) == pytest.approx(expected, abs=1.5)


def test_dark_bytes_stay_as_they_are(tmp_path):
    images = np.random.default_rng(0).integers(0, 60, (12, 8, 8), dtype=np.uint8)
    assert mean_of(tmp_path, images) == images.mean()


def test_what_resizing_adds_to_fractions_is_cut_and_said(tmp_path):
    images = np.linspace(-0.05, 1.06, 12 * 64, dtype=np.float32).reshape(12, 8, 8)
    said: list[str] = []
    expected = 255 * np.clip(images, 0, 1).mean()
    assert mean_of(tmp_path, images, said) == pytest.approx(expected, abs=1)
    assert any("values beyond 0 and 1 are clipped" in line for line in said)


def test_greys_may_stand_channels_first(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 1, 9, 7), dtype=np.uint8)
    data = load_dataset(saved(tmp_path, images=images, labels=LABELS)).split("all")
    np.testing.assert_array_equal(data.pixels(), np.repeat(images[:, 0, :, :, None], 3, axis=3))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((12, 8, 8, 4), r"images\[..., :3\] drops the transparency"),
        ((12, 4, 8, 8), r"images\[:, :3\] drops the transparency"),
        ((12, 64), r"reshape flat images to \(n, h, w\)"),
    ],
)
def test_other_shapes_are_refused_with_what_mends_them(tmp_path, shape, hint):
    with pytest.raises(DeepSightError, match=hint):
        load_dataset(saved(tmp_path, images=np.zeros(shape, np.uint8), labels=LABELS))


@pytest.mark.parametrize("name", ["class_names", "target_names"])
@pytest.mark.parametrize(("images", "labels"), [("data", "target"), ("images", "targets")])
def test_the_names_that_other_libraries_give_to_arrays(tmp_path, name, images, labels):
    content = {images: np.zeros((12, 8, 8), np.uint8), labels: LABELS, name: ["cat", "dog"]}
    obtained = load_dataset(saved(tmp_path, **content))
    assert obtained.train.classes == ("cat", "dog")
    assert obtained.record["passed_over"] == []


@pytest.mark.parametrize("labels", [np.where(LABELS, 1.0, 0.0), np.where(LABELS, "dog", "cat")])
def test_a_label_that_is_no_number_marks_an_unlabelled_image(tmp_path, labels):
    labels[3] = "nan"
    obtained = load_dataset(saved(tmp_path, images=np.zeros((12, 8, 8), np.uint8), labels=labels))
    assert len(obtained.split("all")) == 11
    assert obtained.train.k == 2
    assert obtained.record["passed_over"] == [{"what": "images without a label", "n": 1, "first": "row 3"}]


def test_a_test_part_alone_is_refused_with_what_to_call_it(tmp_path):
    with pytest.raises(DeepSightError, match="to use test_images alone, call them images and labels"):
        load_dataset(saved(tmp_path, test_images=np.zeros((12, 8, 8), np.uint8), test_labels=LABELS))


@pytest.mark.parametrize(
    ("most", "darker", "kind"),
    [(16, 9, np.uint8), (200, 20, np.uint8), (4000, 900, np.uint16), (200, 0.5, np.float32)],
)
def test_all_parts_share_a_range(tmp_path, most, darker, kind):
    images = np.full((12, 8, 8), most, kind)
    content = {"test_images": np.full((12, 8, 8), darker, kind), "test_labels": LABELS}
    obtained = load_dataset(saved(tmp_path, images=images, labels=LABELS, **content))
    top = {16: 16, 200: 255, 4000: 4095}[most]
    assert obtained.train.pixels().mean() == round(most * 255 / top)
    assert obtained.test.pixels().mean() == round(darker * 255 / top)


@pytest.mark.parametrize(
    "pattern",
    [("train_x", "train_y"), ("trainX", "trainY"), ("X_train", "Y_train"), ("train_image", "train_label")],
)
def test_names_of_arrays_are_read_by_their_words(tmp_path, pattern):
    images, labels = np.arange(9 * 8 * 8, dtype=np.uint8).reshape(9, 8, 8), np.arange(9) % 3
    content = {}
    for part in ("train", "valid", "test"):
        content |= {pattern[0].replace("train", part): images, pattern[1].replace("train", part): labels}
    obtained = load_dataset(saved(tmp_path, **content))
    assert obtained.record["counts"] == {"train": 9, "val": 9, "test": 9}
    assert obtained.record["passed_over"] == []
