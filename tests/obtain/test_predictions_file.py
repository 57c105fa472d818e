"""A file of predictions is taken as it is named, or refused with the numbers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from deepsight.core.errors import UsageError
from deepsight.obtain.predictions_file import read_predictions

N, K = 12, 3
LABELS = np.arange(N) % K
LOGITS = np.random.default_rng(0).normal(size=(N, K)) * 3
PROBS = softmax(LOGITS, axis=1)


def written(folder: Path, **content: object) -> Path:
    path = folder / "predictions.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    return path


def refusal(folder: Path, **content: object) -> str:
    with pytest.raises(UsageError) as refused:
        read_predictions(written(folder, **content), N, K, LABELS)
    return str(refused.value)


def test_probabilities_come_back_as_they_were(tmp_path: Path) -> None:
    read = read_predictions(written(tmp_path, probs=PROBS), N, K, LABELS)
    assert read.probabilities == pytest.approx(PROBS, abs=1e-6)
    assert read.ids.tolist() == list(range(N))
    assert read.labels.tolist() == LABELS.tolist()
    assert read.features.shape == (N, 0)


def test_logits_labels_and_features_come_back_as_they_were(tmp_path: Path) -> None:
    labels, features = np.roll(LABELS, 0).copy(), np.ones((N, 5), dtype=np.float16)
    labels[0] = 2
    read = read_predictions(written(tmp_path, logits=LOGITS, labels=labels, features=features), N, K, LABELS)
    assert read.logits == pytest.approx(LOGITS, abs=1e-6)
    assert read.labels[0] == 2
    assert read.features.dtype == np.float16


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (N, K), elements=st.floats(-50, 50)))
def test_rounding_to_float16_is_no_reason_to_refuse(
    tmp_path_factory: pytest.TempPathFactory, logits: np.ndarray
) -> None:
    rounded = softmax(logits, axis=1).astype(np.float16)
    read = read_predictions(written(tmp_path_factory.mktemp("half"), probs=rounded), N, K, LABELS)
    assert np.abs(read.probabilities - softmax(logits, axis=1)).max() < 2e-3


def test_a_probability_of_zero_stays_finite(tmp_path: Path) -> None:
    read = read_predictions(written(tmp_path, probs=np.eye(K)[LABELS]), N, K, LABELS)
    assert np.isfinite(read.logits).all()
    assert read.probabilities == pytest.approx(np.eye(K)[LABELS], abs=1e-9)


def with_bad_rows(array: np.ndarray, value: float) -> np.ndarray:
    spoilt = array.copy()
    spoilt[[4, 7], 1] = value
    return spoilt


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["probs", "logits"])
def test_nan_and_infinity_are_counted(tmp_path: Path, name: str, value: float) -> None:
    message = refusal(tmp_path, **{name: with_bad_rows(PROBS if name == "probs" else LOGITS, value)})
    assert "2 of 12 rows, the first 4" in message


def test_rows_that_do_not_sum_to_one_are_counted(tmp_path: Path) -> None:
    message = refusal(tmp_path, probs=with_bad_rows(PROBS, 0.0))
    assert "received 2 of 12 rows that do not, with sums from" in message


def test_logits_given_as_probabilities_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, probs=LOGITS)
    assert f"values from {LOGITS.min():.4g} to {LOGITS.max():.4g}" in message
    assert "name the array logits" in message


def test_probabilities_given_as_logits_are_refused(tmp_path: Path) -> None:
    assert "12 of 12 rows that lie between 0 and 1 and sum to 1" in refusal(tmp_path, logits=PROBS)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"probs": PROBS[:11]}, "Expected probs of shape (12, 3), received (11, 3)"),
        ({"logits": LOGITS[:, :2]}, "Expected logits of shape (12, 3), received (12, 2)"),
        ({"probs": PROBS, "features": np.ones(N)}, "Expected features of shape (12, d), received (12,)"),
        ({"probs": PROBS, "labels": LABELS[:, None]}, "12 whole numbers, received int64 of shape (12, 1)"),
        ({"probs": PROBS, "labels": LABELS * 1.0}, "12 whole numbers, received float64"),
        ({"logits": LOGITS > 0}, "Expected numbers in logits, received bool"),
        ({"probs": PROBS, "logits": LOGITS}, "received probs and logits"),
        ({"labels": LABELS}, "received neither"),
        ({"prob": PROBS}, "received 'prob'; did you mean 'probs'?"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, content: dict[str, object], expected: str) -> None:
    assert expected in refusal(tmp_path, **content)


def test_unknown_labels_are_named_and_counted(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[[1, 2]] = 3, -1
    assert "unknown labels -1, 3 in 2 of 12 rows" in refusal(tmp_path, probs=PROBS, labels=labels)


def test_rows_in_another_order_are_noticed(tmp_path: Path) -> None:
    assert "agree with those of the data set in 0.0% of 12 rows" in refusal(
        tmp_path, probs=PROBS, labels=np.roll(LABELS, 1)
    )


def test_a_missing_file_and_a_file_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found no such file"):
        read_predictions(tmp_path / "absent.npz", N, K, LABELS)
    other = tmp_path / "text.npz"
    other.write_text("not an archive")
    with pytest.raises(UsageError, match=r"numpy\.savez"):
        read_predictions(other, N, K, LABELS)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    assert "cannot be read as one" in refusal(tmp_path, probs=np.array([{"a": 1}], dtype=object))


def test_a_bare_array_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "bare.npz"
    with path.open("wb") as file:
        np.save(file, PROBS)
    with pytest.raises(UsageError, match="cannot be read as one"):
        read_predictions(path, N, K, LABELS)
