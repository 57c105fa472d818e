"""Labels as people write them become positions in sorted classes."""

from deepsight.obtain.readers.label_values import positions_of_labels


def test_labels_are_named_by_their_sorted_values():
    labels, names = positions_of_labels(["dog", None, "ant"], among=["dog", "ant", "cat", None])
    assert labels.tolist() == [2, -1, 0]
    assert names == ("ant", "cat", "dog")
    assert positions_of_labels([10, 9], among=[10, 9])[1] == ("9", "10")
