"""Predictions as other programs spell them: read as they are meant, or refused with what to do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import silent
from deepsight.obtain.predictions.read import read_predictions

N = 30
CLASSES = ("cat", "dog", "owl")
LABELS = np.arange(N) % 3
FILES = [f"test/{CLASSES[label]}/{i:02d}.png" for i, label in enumerate(LABELS)]
LOGITS = np.random.default_rng(0).normal(size=(N, 3)) + 4 * np.eye(3)[LABELS]
PROBS = softmax(LOGITS, axis=1)
CHOSEN = PROBS.argmax(axis=1)
IMAGES = np.zeros((N, 4, 4, 3), np.uint8)
DATA = Dataset(IMAGES, LABELS, CLASSES, np.arange(N), "test", np.array(FILES, object))
TWO = Dataset(IMAGES, (LABELS == 2).astype(int), ("bad", "ok"), np.arange(N), "test", DATA.files)


def read(path: Path, data: Dataset = DATA) -> Predictions:
    return read_predictions(path, data, log=silent).predictions


def table(folder: Path, head: str, rows: Any, *, data: Dataset = DATA, separator: str = ",") -> Predictions:
    path = folder / "predictions.csv"
    path.write_text("\n".join([head, *(separator.join(map(str, row)) for row in rows)]))
    return read(path, data)


def as_json(folder: Path, value: Any, suffix: str = ".json") -> Predictions:
    path = folder / f"predictions{suffix}"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return read(path)


def arrays(folder: Path, data: Dataset = DATA, **content: Any) -> Predictions:
    np.savez(folder / "predictions.npz", **content)
    return read(folder / "predictions.npz", data)


def same(found: Predictions) -> bool:
    """Whether the probabilities are those of the model, within the digits that were written."""
    return bool(np.abs(softmax(found.logits, axis=1) - PROBS).max() < 2e-3)


def spelt(write: Any) -> list[list[Any]]:
    return [[file, *(write(p) for p in row)] for file, row in zip(FILES, PROBS, strict=True)]


HEADS = (
    "file,softmax_cat,softmax_dog,softmax_owl", "file,prob.cat,prob.dog,prob.owl",
    "file,Prob Cat,Prob Dog,Prob Owl",
    "file,.pred_cat,.pred_dog,.pred_owl", "file,cat-prob,dog-prob,owl-prob", "file,cat_p,dog_p,owl_p",
    "file,prob_1,prob_2,prob_3", "file,confidence_cat,confidence_dog,confidence_owl",
)  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_columns_with_other_words_and_separators(tmp_path, head):
    assert same(table(tmp_path, head, spelt(float)))


@pytest.mark.parametrize(
    "write",
    [
        lambda p: f"{100 * p:.3f}%", lambda p: f"{100 * p:.3f} %", lambda p: f" {p:.5f} ",
        lambda p: f"{np.log(p):.5f}".replace("-", "\u2212"),
    ],
)  # fmt: skip
def test_numbers_in_text(tmp_path, write):
    assert same(table(tmp_path, "file,cat,dog,owl", spelt(write)))


def test_decimal_commas_with_exponents(tmp_path):
    rows = spelt(lambda p: f"{p:.5E}".replace(".", ","))
    assert same(table(tmp_path, "file;cat;dog;owl", rows, separator=";"))


@pytest.mark.parametrize("write", ["('{}',)", "b'{}'", "['{}']", "https://x.org/{}?w=1&h=2"])
def test_files_with_the_marks_of_loaders_and_servers(tmp_path, write):
    rows = [['"' + write.format(file) + '"', *row[1:]] for file, row in zip(FILES, spelt(float), strict=True)]
    assert same(table(tmp_path, "file,cat,dog,owl", rows))


def test_json_in_its_shapes(tmp_path):
    rows = [
        {"file": f, **dict(zip(CLASSES, p, strict=True))} for f, p in zip(FILES, PROBS.tolist(), strict=True)
    ]
    pipeline = [
        [{"label": f"LABEL_{j}", "score": p} for j, p in reversed([*enumerate(row)])]
        for row in PROBS.tolist()
    ]
    named = [[{"label": CLASSES[j], "score": p} for j, p in enumerate(row)] for row in PROBS.tolist()]
    for value in ({"predictions": rows}, {"results": rows, "model": "x"}, pipeline, named):
        assert same(as_json(tmp_path, value))
    assert same(as_json(tmp_path, "\n".join(json.dumps(row) for row in PROBS.tolist()), ".jsonl"))
    assert same(as_json(tmp_path, json.dumps(rows, indent=1), ".jsonl"))
    assert same(as_json(tmp_path, "\n".join(json.dumps(row) for row in rows)))
    for value in (CHOSEN.tolist(), [CLASSES[c] for c in CHOSEN], [f"class_{c}" for c in CHOSEN]):
        assert as_json(tmp_path, value).logits.argmax(axis=1).tolist() == CHOSEN.tolist()


@pytest.mark.parametrize(
    "content",
    [
        {"y_prob": PROBS, "y_true": LABELS}, {"softmax": PROBS}, {"outputs": LOGITS}, {"y_score": PROBS},
        {"probs": PROBS, "embeddings": PROBS}, {"probs": PROBS[:, None]},
        {"logits": LOGITS[:, :, None, None]},
    ],
)  # fmt: skip
def test_arrays_with_other_names_and_single_axes(tmp_path, content):
    assert same(arrays(tmp_path, **content))


@pytest.mark.parametrize("chosen", [CHOSEN, CHOSEN[:, None], CHOSEN.astype(float), np.array(CLASSES)[CHOSEN]])
def test_classes_alone(tmp_path, chosen):
    for content in ({"preds": chosen}, {"pred": chosen}):
        assert arrays(tmp_path, **content).logits.argmax(axis=1).tolist() == CHOSEN.tolist()
    np.save(tmp_path / "p.npy", chosen)
    assert read(tmp_path / "p.npy").logits.argmax(axis=1).tolist() == CHOSEN.tolist()


def test_sigmoids_called_y_pred_are_no_classes(tmp_path):
    second = np.where(TWO.labels == 1, 0.9, 0.2)
    found = arrays(tmp_path, TWO, y_pred=second[:, None])
    np.testing.assert_allclose(softmax(found.logits, axis=1)[:, 1], second, atol=1e-6)


def test_truth_values_choose_the_second_of_two_classes(tmp_path):
    rows = [(file, bool(label)) for file, label in zip(FILES, TWO.labels, strict=True)]
    assert (table(tmp_path, "file,pred", rows, data=TWO).logits.argmax(axis=1) == TWO.labels).all()


REFUSED = {
    "such as 'cat'": ("file,cat,dog,owl", [*spelt(float)[:9], ["x.png", *CLASSES], *spelt(float)[9:]]),
    "such as '1,234'": ("file,cat,dog,owl", spelt(lambda p: '"1,234"')),
    "NaN or infinity in 30 of 30": ("file,cat,dog,owl", spelt(lambda p: "nan")),
    "start at 1: subtract 1": ("file,pred", zip(FILES, CHOSEN + 1, strict=True)),
    "none in 1 of 30 rows, the first 0": (
        "file,pred", [(FILES[0], ""), *[(f, CLASSES[c]) for f, c in zip(FILES, CHOSEN, strict=True)][1:]]
    ),
    "If 'class' holds what the model chose": (
        "file,class,points", [(f, CLASSES[c], 3) for f, c in zip(FILES, CHOSEN, strict=True)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_can_be_misread_is_refused_with_what_to_do(tmp_path, said):
    head, rows = REFUSED[said]
    with pytest.raises(UsageError, match=said):
        table(tmp_path, head, rows)


def test_one_column_is_checked_for_its_class_and_for_percent(tmp_path):
    for scale, offset, said in ((100, 0.0, "these are percentages"), (-1, 1.0, "seem to be permuted")):
        second = offset + scale * np.where(TWO.labels == 1, 0.9, 0.2)
        with pytest.raises(UsageError, match=said):
            table(tmp_path, "file,prob", zip(FILES, second, strict=True), data=TWO)


def test_entries_without_label_or_score_are_refused(tmp_path):
    exported = [{"data": {"image": f}, "predictions": [{"result": [], "score": 0.5}]} for f in FILES]
    with pytest.raises(UsageError, match=r"a label and a score .* received \['result', 'score'\]"):
        as_json(tmp_path, exported)


@pytest.mark.parametrize(
    ("name", "said"),
    [("p.csv.gz", "Unpack it"), ("p.xlsx", "Save the sheet"), ("p.h5", "numpy.savez"), ("p.txt", "as CSV")],
)
def test_files_of_other_formats_are_refused_with_what_to_do(tmp_path, name, said):
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=said):
        read(tmp_path / name)
