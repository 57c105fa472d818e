"""Predictions with a row per file and class, and the best few of each image: read, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.obtain.predictions.read import read_predictions

N = 40
CLASSES = ("cat", "dog", "owl", "emu")
LABELS = np.arange(N) % 4
FILES = [f"{CLASSES[label]}/{i:02d}.png" for i, label in enumerate(LABELS)]
PROBS = softmax(np.random.default_rng(0).normal(size=(N, 4)) + 3 * np.eye(4)[LABELS], axis=1)
RANKED = np.argsort(-PROBS, axis=1)
DATA = Dataset(
    np.zeros((N, 4, 4, 3), np.uint8), LABELS, CLASSES, np.arange(N), "test", np.array(FILES, object)
)


def read(folder: Path, lines: list[list[Any]] | list[Any], name: str = "p.csv") -> tuple[Predictions, str]:
    """The predictions of a table, and what is said about them."""
    quoted = [
        json.dumps(line)
        if name == "p.jsonl"
        else ",".join(f'"{c}"' if "," in str(c) else str(c) for c in line)
        for line in lines
    ]
    (folder / name).write_text("\n".join(quoted))
    said: list[str] = []
    return read_predictions(folder / name, DATA, log=said.append).predictions, " ".join(said)


def long_rows(k: int = 4) -> list[list[Any]]:
    return [
        [file, CLASSES[c], p[c]] for file, p, best in zip(FILES, PROBS, RANKED, strict=True) for c in best[:k]
    ]


def is_best(found: Predictions) -> bool:
    """Whether classes and confidences are the best of each row, and the rest is split evenly."""
    best = np.allclose(found.probabilities.max(axis=1), PROBS.max(axis=1), atol=1e-6)
    rest = np.sort(found.probabilities, axis=1)[:, :-1]
    return bool(
        best and np.allclose(rest, rest[:, :1]) and (found.logits.argmax(axis=1) == RANKED[:, 0]).all()
    )


@pytest.mark.parametrize(
    "head", [("file", "class", "score"), ("image", "label", "prob"), ("path", "pred", "p")]
)
def test_a_row_per_file_and_class_is_read_in_any_order(tmp_path: Path, head: tuple[str, ...]) -> None:
    rows = [long_rows()[i] for i in np.random.default_rng(1).permutation(4 * N)]
    assert read(tmp_path, [list(head), *rows])[0].probabilities == pytest.approx(PROBS, abs=1e-6)


def test_true_labels_and_ranks_beside_them_do_not_disturb(tmp_path: Path) -> None:
    rows = [
        [i % 4, CLASSES[LABELS[i // 4]], file, number, np.log(p)]
        for i, (file, name, p) in enumerate(long_rows())
        for number in [CLASSES.index(name)]
    ]
    found, said = read(tmp_path, [["rank", "true_label", "file", "class", "logit"], *rows])
    assert (found.labels == LABELS).all()
    assert found.probabilities == pytest.approx(PROBS, abs=1e-6)
    assert "the first: rank" in said


def test_rows_of_the_best_classes_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"each of the 4 classes, received 2 for 'cat/00\.png'.* as 'confid"):
        read(tmp_path, [["file", "class", "score"], *long_rows(2)])
    with pytest.raises(UsageError, match=r"received 3 for 'emu/39\.png', and fewer or more for 1 files"):
        read(tmp_path, [["file", "class", "score"], *long_rows()[:-1]])


@pytest.mark.parametrize(
    "names",
    [("label_{}", "score_{}"), ("top{}", "top{}_prob"), ("Class Top-{}", "conf.{}"), ("pred{}", "prob{}")],
)
@pytest.mark.parametrize("k", [2, 4])
def test_labels_and_scores_by_rank(tmp_path: Path, names: tuple[str, str], k: int) -> None:
    head = ["file", *(name.format(rank) for rank in range(1, k + 1) for name in names)]
    rows = [
        [file, *(cell for c in best[:k] for cell in (CLASSES[c], p[c]))]
        for file, p, best in zip(FILES, PROBS, RANKED, strict=True)
    ]
    found, said = read(tmp_path, [head, *rows])
    if k == 4:
        assert found.probabilities == pytest.approx(PROBS, abs=1e-6)
    else:
        assert is_best(found)
        assert "the best 2 of 4 classes for each image" in said
        assert "the scores of the rest are not known" in said


def test_the_best_score_counts_wherever_it_stands(tmp_path: Path) -> None:
    rows = [[file, b[1], p[b[1]], b[0], p[b[0]]] for file, p, b in zip(FILES, PROBS, RANKED, strict=True)]
    found, _ = read(tmp_path, [["file", "class_0", "score_0", "class_1", "score_1"], *rows])
    assert is_best(found)


def test_labels_alone_by_rank_have_no_confidence(tmp_path: Path) -> None:
    rows = [[file, *(CLASSES[c] for c in best[:3])] for file, best in zip(FILES, RANKED, strict=True)]
    found, said = read(tmp_path, [["file", "top_1", "top_2", "top_3"], *rows])
    assert (found.logits.argmax(axis=1) == RANKED[:, 0]).all()
    assert "no confidences" in said


CELLS = {
    "names": lambda p, best: [CLASSES[c] for c in best],
    "text": lambda p, best: str([CLASSES[c] for c in best]),
    "words": lambda p, best: "|".join(CLASSES[c] for c in best),
    "pairs": lambda p, best: [[CLASSES[c], float(p[c])] for c in best],
    "entries": lambda p, best: [{"label": CLASSES[c], "score": float(p[c])} for c in best],
    "by name": lambda p, best: {CLASSES[c]: float(p[c]) for c in best},
}


@pytest.mark.parametrize("form", CELLS)
@pytest.mark.parametrize("column", ["top3", "top-k"])
def test_lists_of_the_best(tmp_path: Path, form: str, column: str) -> None:
    cells = [CELLS[form](p, best[:3].tolist()) for p, best in zip(PROBS, RANKED, strict=True)]
    lines = [{"file": file, column: cell} for file, cell in zip(FILES, cells, strict=True)]
    found, said = read(tmp_path, lines, "p.jsonl")
    assert "the best 3 of 4 classes" in said
    if form in ("names", "text", "words"):
        assert (found.logits.argmax(axis=1) == RANKED[:, 0]).all()
    else:
        assert is_best(found)


def test_lists_of_labels_beside_lists_of_scores(tmp_path: Path) -> None:
    rows = [
        [file, str(best[:2].tolist()), str(p[best[:2]].tolist())]
        for file, p, best in zip(FILES, PROBS, RANKED, strict=True)
    ]
    assert is_best(read(tmp_path, [["file", "top2_labels", "top2_scores"], *rows])[0])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["cat", 0.6, "cat", 0.3], "each class once in a row"),
        (["cat", 0.6, "yak", 0.3], "among the classes"),
        (["", "", "", ""], "none in 1 of 40"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(tmp_path: Path, cells: list[Any], said: str) -> None:
    rows = [[file, "cat", 0.6, "dog", 0.3] for file in FILES]
    rows[7][1:] = cells
    with pytest.raises(UsageError, match=said):
        read(tmp_path, [["file", "label_1", "score_1", "label_2", "score_2"], *rows])


def test_numbered_columns_beside_predictions_are_something_else(tmp_path: Path) -> None:
    """Such as the labels of two annotators, or names of people."""
    seen = [CLASSES[label] for label in LABELS]
    head = ["file", "label_1", "label_2", "name_1", "name_2"]
    rows = [[file, own, "cat", "Ann", "Bo"] for file, own in zip(FILES, seen, strict=True)]
    whole = [[*row, *p] for row, p in zip(rows, PROBS, strict=True)]
    assert read(tmp_path, [[*head, *CLASSES], *whole])[0].probabilities == pytest.approx(PROBS, abs=1e-6)
    chosen = [[*row, CLASSES[best[0]]] for row, best in zip(rows, RANKED, strict=True)]
    found, said = read(tmp_path, [[*head, "pred"], *chosen])
    assert (found.logits.argmax(axis=1) == RANKED[:, 0]).all()
    assert "Not used: columns (4)" in said
    with pytest.raises(UsageError, match="a column for each class or a column 'pred'"):
        read(tmp_path, [["file", "name_1", "name_2"], *([file, "Ann", "Bo"] for file in FILES)])
