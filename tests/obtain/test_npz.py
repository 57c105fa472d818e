"""Own images as arrays: every layout that is allowed, and a sentence for every other."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset, npz
from deepsight.obtain.cache import cache_folder


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
    monkeypatch.setattr(npz, "CHUNK_BYTES", 5_000)
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
        ({"images": IMAGES.astype(np.float32), "labels": LABELS}, "images are float32"),
        (
            {"images": IMAGES.transpose(0, 3, 1, 2).copy(), "labels": LABELS},
            r"images are uint8 \(6, 3, 4, 4\)",
        ),
        ({"images": np.asfortranarray(IMAGES), "labels": LABELS}, "in Fortran order"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "6 images and 5 labels"),
        ({"images": IMAGES, "labels": LABELS / 2}, "labels are float64"),
        ({"images": IMAGES, "labels": LABELS, "classes": ["one"]}, "labels from 0 to 1 beside 1 classes"),
        ({"images": IMAGES, "labels": LABELS - 1, "classes": ["a", "b"]}, "labels from -1 to 0"),
        ({"images": IMAGES, "labels": np.array(["a"] * 6, dtype=object)}, "allow_pickle"),
        ({"images": IMAGES, "labels": LABELS, "test_images": IMAGES}, "test_labels"),
        ({"images": IMAGES, "labels": np.zeros(6, int)}, "at least two classes"),
        ({"images": IMAGES, "labels": np.array([0] * 5 + [1])}, "received 1 in '1'"),
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
