"""The order of sources, and the error when none works."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain import load_dataset
from deepsight.obtain.obtained import Part
from deepsight.obtain.sources import Source, SourceError, SourceSkipped, failure_records, first_that_works

PARTS = {"train": Part(np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1, np.int64))}


def failing(name, error):
    def fetch():
        raise error

    return Source(name, fetch, f"Mend {name}")


def test_the_first_source_that_works_is_used_and_later_ones_are_not_tried():
    works = Source("b", lambda: PARTS, "-")
    untouched = failing("c", AssertionError("tried"))
    said = []
    source, parts, failures = first_that_works(
        "it", [failing("a", SourceError("no")), works, untouched], log=said.append
    )
    assert (source, parts) == (works, PARTS)
    assert failure_records(failures) == [{"source": "a", "reason": "no"}]
    assert said == ["a: no."]


def test_a_source_that_was_not_tried_is_listed_in_the_error_alone():
    said = []
    sources = [failing("a", SourceSkipped("not given")), failing("b", SourceError("broken"))]
    with pytest.raises(DeepSightError) as caught:
        first_that_works("it", sources, log=said.append)
    assert str(caught.value).split("\n")[1:] == ["  - a: not given. Mend a", "  - b: broken. Mend b"]
    assert said == ["b: broken."]


def test_a_defect_is_not_taken_for_a_failed_source():
    with pytest.raises(ZeroDivisionError):
        first_that_works("it", [failing("a", ZeroDivisionError())], log=lambda line: None)


@pytest.mark.parametrize("name", ["cifar-10", "cifar", "CIFAR10"])
def test_an_unknown_name_is_refused_with_the_near_one(name):
    with pytest.raises(UsageError, match=f"received '{name}'.*cifar10"):
        load_dataset(name)


def test_the_known_name_is_loaded(tiny, tmp_path):
    obtained = load_dataset("cifar10", data_dir=tiny.write_binary(tmp_path / "mine"), offline=True)
    assert (len(obtained.train), len(obtained.test), obtained.validation) == (50, 10, None)
