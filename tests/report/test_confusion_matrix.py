"""The matrix on the page is the stored one."""

from dataclasses import replace

from deepsight.core.evidence import Evidence
from deepsight.report import confusion_matrix
from deepsight.report.run_data import RunData
from made_run import made


def test_every_stored_cell_is_shown(study: RunData):
    shown = confusion_matrix.confusion_matrix_data(study)
    cells = {
        (row["true"], cell["predicted"]): cell["count"] for row in shown["rows"] for cell in row["cells"]
    }
    stored = {(row["true"], row["predicted"]): row["count"] for row in study.rows("confusion")}
    assert cells == stored
    assert shown["left_out"] == 0


def test_the_strongest_confusion_has_the_strongest_shade(study: RunData):
    shown = confusion_matrix.confusion_matrix_data(study)
    wrong = [
        (float(cell["shade"]), cell["rate"])
        for row in shown["rows"] for cell in row["cells"] if cell["predicted"] != row["true"]
    ]  # fmt: skip
    assert max(wrong)[0] == 1
    assert max(wrong)[1] == max(rate for _, rate in wrong)


def test_of_many_classes_those_with_the_most_errors_are_kept(study: RunData):
    names = [f"class {i:02d}" for i in range(40)]
    rows = [
        {"true": a, "predicted": b, "count": names.index(a), "rate": 0.1} for a in names for b in names[:2]
    ]
    many = replace(study, evidence=Evidence({"confusion": made(rows, 40, "Many classes.")}))
    shown = confusion_matrix.confusion_matrix_data(many)
    assert shown["left_out"] == 40 - confusion_matrix.SHOWN
    assert shown["classes"] == names[-confusion_matrix.SHOWN :]


def test_without_confusions_the_matrix_is_empty(study: RunData):
    assert confusion_matrix.confusion_matrix_data(replace(study, evidence=Evidence()))["rows"] == []
