"""What changed between two tables of images, in words."""

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.image_table import changes_between, image_table, split_list


def data(files, digests, labels=None, ids=None):
    n = len(digests)
    part = Dataset(
        np.zeros((n, 4, 4, 3), np.uint8),
        np.zeros(n, np.int64) if labels is None else np.array(labels),
        ("cat", "dog"),
        np.arange(n) if ids is None else np.array(ids),
        "all",
        None if files is None else np.array(files, dtype=object),
    )
    return image_table({"train": part}, {"all": np.array([[d] * 16 for d in digests], np.uint8)})


def test_added_removed_changed_and_relabelled_files_are_named():
    before = data(["a", "b", "c", "d"], [1, 2, 3, 4])
    after = data(["b", "c", "d", "e"], [2, 9, 4, 5], labels=[0, 0, 1, 0])
    assert changes_between(before, after) == (
        "1 file added (e), 1 file removed (a), 1 file changed (c), 1 file given another class (d)"
    )
    many = data([f"{i:02d}" for i in range(20)], list(range(20)))
    assert "16 files removed" not in changes_between(many, many)
    assert "another order" in changes_between(many, many)


def test_images_without_names_are_counted():
    said = changes_between(data(None, [1, 2, 3]), data(None, [3, 2, 5, 6]))
    assert said == "2 images are new and 1 were removed"
    assert "another order" in changes_between(data(None, [1, 2]), data(None, [2, 1]))


def test_the_list_of_the_splits_says_what_each_image_became():
    images = data(["a", "b", "c"], [1, 2, 3])
    kept = Dataset(np.zeros((1, 4, 4, 3), np.uint8), np.array([0]), ("cat", "dog"), np.array([2]), "all")
    rows = split_list(images, {"val": kept})
    assert rows["split"].to_list() == ["not used", "not used", "val"]
    assert rows["file"].to_list() == ["a", "b", "c"]
    assert "group" not in rows.columns
