"""A file of predictions is taken as it is named, or refused with the numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import silent
from deepsight.obtain.predictions.read import read_predictions

N, K = 12, 3
LABELS = np.arange(N) % K
LOGITS = np.random.default_rng(0).normal(size=(N, K)) * 3
PROBS = softmax(LOGITS, axis=1)
CLASSES = ("cat", "dog", "owl")
DATA = Dataset(np.zeros((N, 4, 4, 3), np.uint8), LABELS, CLASSES, np.arange(N), "test")


def read(file: Path, *, log=silent) -> Predictions:
    return read_predictions(file, DATA, log=log).predictions


def written(folder: Path, **content: object) -> Path:
    path = folder / "predictions.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    return path


def refusal(folder: Path, **content: object) -> str:
    with pytest.raises(UsageError) as refused:
        read(written(folder, **content))
    return str(refused.value)


def test_probabilities_come_back_as_they_were(tmp_path: Path) -> None:
    found = read(written(tmp_path, probs=PROBS))
    assert found.probabilities == pytest.approx(PROBS, abs=1e-6)
    assert found.ids.tolist() == list(range(N))
    assert found.labels.tolist() == LABELS.tolist()
    assert found.features.shape == (N, 0)


def test_a_column_of_confidences_is_read_and_other_shapes_are_refused(tmp_path: Path) -> None:
    column = read(written(tmp_path, pred=LABELS, confidence=np.full((N, 1), 0.9)))
    assert column.probabilities.max(axis=1) == pytest.approx(np.full(N, 0.9), abs=1e-6)
    for wrong in (np.full(N, "high"), np.full((N, 2), 0.9), np.float64(0.9)):
        assert "confidence as one number for each image" in refusal(tmp_path, pred=LABELS, confidence=wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_a_run_could_not_store_are_refused(tmp_path: Path, value: float) -> None:
    assert "finite numbers in features" in refusal(tmp_path, probs=PROBS, features=np.full((N, 2), value))


def test_one_label_for_all_images_is_refused(tmp_path: Path) -> None:
    assert "{'labels': 1}" in refusal(tmp_path, probs=PROBS, labels=np.int64(1))


def test_logits_labels_and_features_come_back_as_they_were(tmp_path: Path) -> None:
    labels, features = np.roll(LABELS, 0).copy(), np.ones((N, 5), dtype=np.float16)
    labels[0] = 2
    found = read(written(tmp_path, logits=LOGITS, labels=labels, features=features))
    assert found.logits == pytest.approx(LOGITS, abs=1e-6)
    assert found.labels[0] == 2
    assert found.features.dtype == np.float16


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (N, K), elements=st.floats(-50, 50)))
def test_rounding_to_float16_is_no_reason_to_refuse(
    tmp_path_factory: pytest.TempPathFactory, logits: np.ndarray
) -> None:
    rounded = softmax(logits, axis=1).astype(np.float16)
    found = read(written(tmp_path_factory.mktemp("half"), probs=rounded))
    assert np.abs(found.probabilities - softmax(logits, axis=1)).max() < 2e-3


def test_a_probability_of_zero_stays_finite(tmp_path: Path) -> None:
    found = read(written(tmp_path, probs=np.eye(K)[LABELS]))
    assert np.isfinite(found.logits).all()
    assert found.probabilities == pytest.approx(np.eye(K)[LABELS], abs=1e-9)


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
    message = refusal(tmp_path, probs=with_bad_rows(PROBS, 0.7))
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
        ({"probs": PROBS[:11]}, "Expected 12 rows of predictions"),
        ({"logits": LOGITS[:, :2]}, "Expected logits of shape (n, 3), a column for each class"),
        ({"probs": PROBS.T}, "Transpose it"),
        ({"probs": PROBS.reshape(3, 4, 3)}, "Join the batches"),
        ({"probs": PROBS, "features": np.ones(N)}, "Expected features of shape (n, d)"),
        (
            {"probs": PROBS, "labels": np.eye(3)[LABELS]},
            "12 whole numbers or names of classes",
        ),
        ({"probs": PROBS, "labels": LABELS + 1}, "They seem to start at 1"),
        ({"probs": PROBS, "labels": np.array(["cat", "cow", "dog"])[LABELS]}, "received ['cow']"),
        ({"probs": PROBS.astype(complex)}, "Expected numbers in probs, received complex128"),
        ({"probs": 100 * PROBS}, "these are percentages. Divide them by 100"),
        ({"logits": 100 * PROBS}, "These are percentages"),
        ({"probs": 1 / (1 + np.exp(-LOGITS))}, "They look like a sigmoid for each class"),
        ({"probs": PROBS[:, [1, 2, 0]], "logits": LOGITS}, "predict different classes in 12 of 12 rows"),
        ({"probs": PROBS, "pred": (PROBS.argmax(axis=1) + 1) % K}, "predict different classes"),
        ({"labels": LABELS}, "received none"),
        ({"probz": PROBS}, "received 'probz'; did you mean 'probs'"),
        ({"probs": PROBS.astype(object)}, "write text with probs.astype(str)"),
        ({"pred": ["cat"] * 11 + ["cow"]}, "received ['cow']"),
        ({"pred": LABELS, "confidence": np.full(N, 90.0)}, "divide by 100"),
        ({"probs": PROBS, "classes": ["cat", "dog", "cow"]}, "Expected classes ['cat', 'dog', 'owl']"),
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
        read(tmp_path / "absent.npz")
    other = tmp_path / "text.npz"
    other.write_text("not an archive")
    with pytest.raises(UsageError, match=r"numpy\.savez"):
        read(other)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    assert "cannot be read as one" in refusal(tmp_path, probs=np.array([{"a": 1}], dtype=object))


def test_a_bare_array_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "bare.npz"
    with path.open("wb") as file:
        np.save(file, PROBS)
    with pytest.raises(UsageError, match="cannot be read as one"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        {"probs": PROBS.round(2)},
        {"probs": np.where(PROBS.max() == PROBS, PROBS + 0.008, PROBS)},
        {"probs": np.where(PROBS.max(1, keepdims=True) > 0.9, 1.0000001 * (PROBS > 0.5), PROBS)},
        {"probs": PROBS - 1e-9},
        {"logits": np.log(PROBS)},
        {"probs": PROBS[:, [2, 0, 1]], "classes": ["owl", "cat", "dog"]},
        {"arr_0": PROBS},
        {"logits": LOGITS * 1e300},
        {"probs": PROBS, "labels": LABELS[:, None]},
        {"probs": PROBS, "labels": LABELS.astype(float)},
        {"probs": PROBS, "labels": np.array(CLASSES)[LABELS]},
        {"pred": LOGITS.argmax(axis=1)},
        {"pred": np.array(CLASSES)[LOGITS.argmax(axis=1)], "confidence": PROBS.max(axis=1)},
    ],
)
def test_what_differs_by_rounding_or_form_alone_is_read(tmp_path: Path, content: dict[str, object]) -> None:
    found = read(written(tmp_path, **content))
    np.testing.assert_array_equal(found.predicted, LOGITS.argmax(axis=1))
    np.testing.assert_array_equal(found.labels, LABELS)
    assert np.isfinite(found.logits).all()


def test_a_logarithm_of_zero_is_a_probability_of_zero(tmp_path: Path) -> None:
    with np.errstate(divide="ignore"):
        logits = np.log(np.where(PROBS < 0.01, 0, PROBS))
    assert np.isneginf(logits).any()
    found = read(written(tmp_path, logits=logits))
    assert found.probabilities[np.isneginf(logits)].max() == 0


def test_a_choice_has_the_confidence_that_was_given(tmp_path: Path) -> None:
    found = read(written(tmp_path, pred=LABELS, confidence=np.linspace(0.5, 0.9, N)))
    assert found.probabilities.max(axis=1) == pytest.approx(np.linspace(0.5, 0.9, N))


@pytest.mark.parametrize("content", [{"probs": np.eye(K)[LABELS]}, {"pred": LABELS}])
def test_predictions_without_confidence_say_so(tmp_path: Path, content: dict[str, object]) -> None:
    said: list[str] = []
    read(written(tmp_path, **content), log=said.append)
    assert any("model's confidence cannot be judged" in line for line in said)


def many(labels: np.ndarray, right: float, seed: int = 0) -> np.ndarray:
    """Probabilities of a model that is right on this share."""
    rng = np.random.default_rng(seed)
    top = np.where(rng.random(len(labels)) < right, labels, rng.integers(0, K, len(labels)))
    return softmax(rng.normal(size=(len(labels), K)) + 4 * np.eye(K)[top], axis=1)


def test_columns_in_another_order_are_named(tmp_path: Path) -> None:
    labels = np.arange(60) % K
    data = Dataset(np.zeros((60, 4, 4, 3), np.uint8), labels, CLASSES, np.arange(60), "test")
    shuffled = many(labels, 0.8)[:, [1, 2, 0]]
    with pytest.raises(UsageError, match=r"in the order \['dog', 'owl', 'cat'\]"):
        read_predictions(written(tmp_path, probs=shuffled), data, log=silent)
    for right in (0.9, 0.3, 0.0):  # good and bad models alike are taken as they are
        read_predictions(written(tmp_path, probs=many(labels, right)), data, log=silent)
    constant = np.tile([0.9, 0.05, 0.05], (60, 1))
    read_predictions(written(tmp_path, probs=constant), data, log=silent)


def test_text_may_be_stored_as_bytes(tmp_path: Path) -> None:
    order = [2, 0, 1]
    names = np.array([CLASSES[c].encode() for c in order])
    content = {"probs": PROBS[:, order], "classes": names, "labels": np.array(CLASSES)[LABELS].astype("S")}
    assert read(written(tmp_path, **content)).probabilities == pytest.approx(PROBS, abs=1e-6)


ACCENTS = Dataset(DATA.images, LABELS, ("Café", "dog", "Dog"), np.arange(N), "test")


def as_csv(folder: Path, header: list[str], rows: list[list[object]]) -> Path:
    lines = [header, *rows]
    path = folder / "predictions.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["Cafe\u0301", " Café ", "CAFÉ"])
def test_the_spelling_of_a_class_makes_no_difference(tmp_path: Path, name: str) -> None:
    table = as_csv(tmp_path, ["dog", "Dog", name], PROBS[:, [1, 2, 0]].tolist())
    found = read_predictions(table, ACCENTS, log=silent).predictions
    assert found.probabilities == pytest.approx(PROBS, abs=1e-6)
    chosen = as_csv(tmp_path, ["pred"], [[(name, "dog", "Dog")[c]] for c in LABELS])
    assert read_predictions(chosen, ACCENTS, log=silent).predictions.logits.argmax(axis=1).tolist() == (
        LABELS.tolist()
    )


@pytest.mark.parametrize("prefix", ["", "prob_", "p_", "class_"])
def test_columns_may_be_numbered_beside_others(tmp_path: Path, prefix: str) -> None:
    rows = [[*row, label] for row, label in zip(PROBS.tolist(), LABELS.tolist(), strict=True)]
    table = as_csv(tmp_path, [f"{prefix}{place}" for place in range(K)] + ["label"], rows)
    assert read(table).probabilities == pytest.approx(PROBS, abs=1e-6)


def test_labels_with_their_scores_are_read_by_name(tmp_path: Path) -> None:
    cells = [
        sorted(
            ({"label": name, "score": score} for name, score in zip(CLASSES, row, strict=True)),
            key=lambda cell: -float(cell["score"]),
        )
        for row in PROBS.tolist()
    ]
    path = tmp_path / "pipeline.jsonl"
    path.write_text("\n".join(json.dumps({"predictions": cell}) for cell in cells))
    assert read(path).probabilities == pytest.approx(PROBS, abs=1e-6)
    path.write_text("\n".join(json.dumps({"predictions": cell[:2]}) for cell in cells))
    assert read(path).probabilities.max(axis=1) == pytest.approx(PROBS.max(axis=1), abs=1e-6)


@pytest.mark.parametrize("kind", ["list", "dict", "name"])
def test_an_object_by_file_is_a_table(tmp_path: Path, kind: str) -> None:
    names = [f"{CLASSES[c]}/{i}.png" for i, c in enumerate(LABELS)]
    data = replace(DATA, files=np.array(names, dtype=object))
    values = {
        "list": PROBS.tolist(),
        "dict": [dict(zip(CLASSES, row, strict=True)) for row in PROBS.tolist()],
        "name": [CLASSES[c] for c in PROBS.argmax(axis=1)],
    }[kind]
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(dict(reversed(list(zip(names, values, strict=True))))))
    found = read_predictions(path, data, log=silent).predictions
    assert found.logits.argmax(axis=1).tolist() == PROBS.argmax(axis=1).tolist()
    if kind != "name":
        assert found.probabilities == pytest.approx(PROBS, abs=1e-6)


def test_numbers_as_text_and_labels_alone_are_refused_with_the_remedy(tmp_path: Path) -> None:
    rows = [[f"{100 * p:.1f} percent" for p in row] for row in PROBS]
    with pytest.raises(UsageError, match=r"such as '.*percent'\. Write them as 1234\.87"):
        read(as_csv(tmp_path, list(CLASSES), rows))
    with pytest.raises(UsageError, match="If 'label' holds what the model chose, call it pred"):
        read(as_csv(tmp_path, ["label"], [[CLASSES[c]] for c in LABELS]))


@pytest.mark.parametrize(
    "content",
    [
        {"probs": PROBS, "logits": LOGITS}, {"probs": PROBS, "pred": PROBS.argmax(axis=1)},
        {"y_pred": PROBS, "y_true": LABELS}, {"probabilities": PROBS, "targets": LABELS},
    ],
)  # fmt: skip
def test_arrays_that_agree_and_names_of_other_programs_are_read(
    tmp_path: Path, content: dict[str, object]
) -> None:
    assert read(written(tmp_path, **content)).probabilities == pytest.approx(PROBS, abs=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ("P(cat)", "P(dog)", "P(owl)"), ("cat_prob", "dog_prob", "owl_prob"),
        ("score_cat", "score_dog", "score_owl"),
        ("Probability_Cat", "Probability_Dog", "Probability_Owl"),
    ],
)  # fmt: skip
def test_words_around_the_names_of_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    table = as_csv(tmp_path, [names[2], names[0], names[1]], PROBS[:, [2, 0, 1]].tolist())
    assert read(table).probabilities == pytest.approx(PROBS, abs=1e-6)


@pytest.mark.parametrize("between", [", ", " "])
def test_a_list_in_a_cell_of_a_csv(tmp_path: Path, between: str) -> None:
    cells = ["[" + between.join(map(str, row)) + "]" for row in PROBS.tolist()]
    path = tmp_path / "predictions.csv"
    path.write_text("probs\n" + "\n".join(f'"{cell}"' for cell in cells))
    assert read(path).probabilities == pytest.approx(PROBS, abs=1e-6)


def test_json_by_column_and_rows_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    by_row = {name: {str(i): p for i, p in enumerate(PROBS[:, c])} for c, name in enumerate(CLASSES)}
    for form in ({"probs": PROBS.tolist()}, by_row, PROBS.tolist()):
        path.write_text(json.dumps(form))
        assert read(path).probabilities == pytest.approx(PROBS, abs=1e-6)


def test_decimal_commas_between_tabs(tmp_path: Path) -> None:
    rows = ["\t".join(f"{p:.6f}".replace(".", ",") for p in row) for row in PROBS]
    path = tmp_path / "predictions.tsv"
    path.write_text("\n".join(["\t".join(CLASSES), *rows]))
    assert read(path).probabilities == pytest.approx(PROBS, abs=1e-5)


def test_the_score_beside_a_choice_is_its_confidence_unless_it_cannot_be(tmp_path: Path) -> None:
    top, choice = PROBS.max(axis=1), [CLASSES[c] for c in PROBS.argmax(axis=1)]
    rows = [[name, p] for name, p in zip(choice, top.tolist(), strict=True)]
    found = read(as_csv(tmp_path, ["predicted_label", "score"], rows))
    assert found.probabilities.max(axis=1) == pytest.approx(top, abs=1e-6)
    said: list[str] = []
    read(as_csv(tmp_path, ["predicted_label", "score"], [[name, 0.1] for name in choice]), log=said.append)
    assert any("Not used: columns (1), the first: score" in line for line in said)


def test_numbers_from_0_to_1_that_do_not_sum_to_1_are_no_logits(tmp_path: Path) -> None:
    """A column of the background that is left out, or a sigmoid for each class, would read as unsure."""
    for values in (PROBS * 0.9, 1 / (1 + np.exp(-LOGITS))):
        with pytest.raises(UsageError, match="A column may be missing, or they are a sigmoid"):
            read(as_csv(tmp_path, list(CLASSES), values.tolist()))
        named = as_csv(tmp_path, [f"logit_{name}" for name in CLASSES], values.tolist())
        assert read(named).logits == pytest.approx(values, abs=1e-6)


def test_one_column_of_two_classes(tmp_path: Path) -> None:
    second = np.linspace(0.01, 0.99, N)
    data = Dataset(DATA.images, np.arange(N) % 2, ("no", "yes"), np.arange(N), "test")
    np.save(tmp_path / "second.npy", second)
    tables = [
        as_csv(tmp_path / name, [name], [[p] for p in values])
        for name, values in (("prob", second), ("yes", second), ("no", 1 - second))
        if not (tmp_path / name).mkdir()
    ]
    for path in (tmp_path / "second.npy", *tables):
        found = read_predictions(path, data, log=silent).predictions
        assert found.probabilities[:, 1] == pytest.approx(second, abs=1e-6)


def test_ties_are_counted(tmp_path: Path) -> None:
    said: list[str] = []
    read(written(tmp_path, probs=np.full((N, K), 1 / K)), log=said.append)
    assert any("In 12 of 12 rows several classes have the largest value" in line for line in said)


def test_digits_in_another_usual_order_are_refused(tmp_path: Path) -> None:
    """Also on two images of each class."""
    names = tuple(sorted(str(i) for i in range(12)))  # 0, 1, 10, 11, 2, …
    labels = np.arange(24) % 12
    data = Dataset(np.zeros((24, 4, 4, 3), np.uint8), labels, names, np.arange(24), "test")
    by_value = np.eye(12)[[int(names[label]) for label in labels]]
    with pytest.raises(
        UsageError, match=r"16\.7% of 24 images are right, and 100\.0% in the order \['0', '1', '2'"
    ):
        read_predictions(written(tmp_path, probs=by_value * 0.9 + 0.1 / 12), data, log=silent)
    with pytest.raises(UsageError, match="if the numbers are positions in this order, not names"):
        read_predictions(written(tmp_path, pred=labels), data, log=silent)
    chosen = np.array([int(names[label]) for label in labels])
    found = read_predictions(written(tmp_path, pred=chosen), data, log=silent).predictions
    assert found.logits.argmax(axis=1).tolist() == labels.tolist()


def test_a_column_of_labels_that_holds_the_choices_is_no_truth(tmp_path: Path) -> None:
    """As `deepsight predict --out` writes it: with these labels, every model would be right everywhere."""
    said: list[str] = []
    rows = [[CLASSES[row.argmax()], *row] for row in PROBS.tolist() for row in [np.array(row)]]
    found = read(as_csv(tmp_path, ["label", "p_cat", "p_dog", "p_owl"], rows), log=said.append)
    assert found.labels.tolist() == LABELS.tolist()
    assert any("what the model chose in every row" in line for line in said)


def test_labels_that_differ_from_the_data_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    labels = LABELS.copy()
    labels[:2] = (labels[:2] + 1) % K
    assert read(written(tmp_path, probs=PROBS, labels=labels), log=said.append).labels.tolist() == (
        labels.tolist()
    )
    assert any("differ from those of the data in 2 of 12 rows" in line for line in said)


def test_choices_marked_true_and_false_are_read(tmp_path: Path) -> None:
    rows = [["True" if c == label else "False" for c in range(K)] for label in LABELS]
    found = read(as_csv(tmp_path, list(CLASSES), rows))
    assert found.logits.argmax(axis=1).tolist() == LABELS.tolist()


def answered(k: int = K, n: int = 60) -> tuple[Dataset, np.ndarray]:
    """Images of k classes, and the logits of a model that is mostly right."""
    labels = np.arange(n) % k
    data = Dataset(np.zeros((n, 4, 4, 3), np.uint8), labels, CLASSES[:k], np.arange(n), "test")
    return data, np.random.default_rng(1).normal(size=(n, k)) + 3 * np.eye(k)[labels]


@pytest.mark.parametrize("kind", ["array", "logits", "table"])
def test_losses_are_refused_whatever_their_name(tmp_path: Path, kind: str) -> None:
    data, logits = answered()
    values = -log_softmax(logits, axis=1)
    if kind == "array":
        file = tmp_path / "losses.npy"
        np.save(file, values)
    elif kind == "logits":
        file = written(tmp_path, logits=values)
    else:
        file = as_csv(tmp_path, list(CLASSES), values.tolist())
    with pytest.raises(UsageError, match=r"smallest value in \d+\.\d% of 60 rows.*Pass their negative"):
        read_predictions(file, data, log=silent)
    np.save(tmp_path / "scores.npy", -values)
    assert read_predictions(tmp_path / "scores.npy", data, log=silent).doubt == ""


def test_two_classes_in_doubt_are_said_and_kept(tmp_path: Path) -> None:
    """Named columns are never refused for their order, and losses of two classes look like exchanged ones."""
    data, logits = answered(2)
    said: list[str] = []
    table = as_csv(tmp_path, ["logit_cat", "logit_dog"], (-logits).tolist())
    found = read_predictions(table, data, log=said.append)
    assert found.doubt.startswith("The given label has the smallest value in")
    assert said[-1] == found.doubt


@pytest.mark.parametrize(("k", "each"), [(26, 4), (12, 3), (5, 9)])
def test_permuted_columns_are_named_on_few_images_of_many_classes(tmp_path: Path, k: int, each: int) -> None:
    names, labels = tuple(f"kind {i:02d}" for i in range(k)), np.repeat(np.arange(k), each)
    rng = np.random.default_rng(0)
    right = np.where(rng.random(k * each) < 0.85, labels, rng.integers(0, k, k * each))
    probs = softmax(rng.normal(size=(k * each, k)) + 9 * np.eye(k)[right], axis=1)
    data = Dataset(np.zeros((k * each, 2, 2, 3), np.uint8), labels, names, np.arange(k * each), "test")
    path = written(tmp_path, probs=probs[:, np.roll(np.arange(k), 1)])
    with pytest.raises(UsageError, match=r"in the order \['kind \d\d', .* columns seem to be permuted"):
        read_predictions(path, data, log=silent)
    guesses = softmax(5 * rng.normal(size=(k * each, k)), axis=1)  # some order always fits these by chance
    assert read_predictions(written(tmp_path, probs=guesses), data, log=silent).predictions.logits.shape


def test_a_sum_beyond_1_is_no_logit_because_of_rounding(tmp_path: Path) -> None:
    probs = np.where(PROBS.max() == PROBS, 1.0000001, PROBS)
    assert probs.sum(axis=1).max() > 1.02
    with pytest.raises(UsageError, match="Expected probabilities that sum to 1, or logits"):
        read(written(tmp_path, predictions=probs))


def test_numbers_are_all_positions_where_only_some_are_names(tmp_path: Path) -> None:
    names = ("10", "7", "9", "Café", *"abcdef")
    labels = np.repeat(np.arange(10), 3)
    data = Dataset(np.zeros((30, 2, 2, 3), np.uint8), labels, names, np.arange(30), "test")
    found = read_predictions(written(tmp_path, pred=labels), data, log=silent).predictions
    assert (found.logits.argmax(axis=1) == labels).all()
    two = replace(data, labels=labels % 2, classes=("7", "9"))
    chosen = np.array([7, 9])[labels % 2]
    found = read_predictions(written(tmp_path, pred=chosen), two, log=silent).predictions
    assert (found.logits.argmax(axis=1) == two.labels).all()
