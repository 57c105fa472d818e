"""Options that a data set cannot take are refused, not ignored."""

import pytest

from deepsight.core.errors import UsageError
from deepsight.obtain import load_dataset


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cifar10", {"fit": "pad"}, "no --fit for cifar10"),
        ("arrays:a.npz", {"fit": "pad"}, "no --fit for arrays"),
        ("folder:photos", {"data_dir": "mine"}, "--data-dir only with cifar10"),
        ("folder:photos", {"test_share": 3}, "test_share between 0 and 1, received 3"),
        ("folder:photos", {"test_share": 0.0}, "test_share between 0 and 1"),
    ],
)
def test_an_option_that_the_data_cannot_take_is_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        load_dataset(name, **options, offline=True)
