"""What goes out is read by the other tools themselves, and what comes back is what the reader decided."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.decisions import read_decisions
from deepsight.core.errors import UsageError
from deepsight.workflows.exchange.cvat import read_cvat, write_cvat
from deepsight.workflows.exchange.datalab import issues_frame
from deepsight.workflows.exchange.fiftyone import write_fiftyone
from deepsight.workflows.exchange.formats import receive_decisions
from deepsight.workflows.exchange.found_images import ExaminedRun, FoundImage
from deepsight.workflows.exchange.imagefolder import write_imagefolder
from deepsight.workflows.exchange.label_studio import read_label_studio, write_label_studio

CLASSES = ("ant", 'bee & "wasp"')


@pytest.fixture
def examined() -> ExaminedRun:
    """Four images with every kind of finding, and one of another split."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 12, 16, 3), dtype=np.uint8)
    labels = np.array([0, 1, 0, 1])
    parts = {name: Dataset(pixels, labels, CLASSES, np.arange(4) + 10, name) for name in ("train", "test")}
    images = (
        FoundImage("test", 10, "a/x.png", CLASSES[0], CLASSES[1], 0.9, CLASSES[1], 0.8, True, "label error"),
        FoundImage("test", 11, "a/y.png", CLASSES[1], CLASSES[0], 0.7, cause="model error"),
        FoundImage("test", 12, "ü.png", CLASSES[0], CLASSES[0], 0.6, CLASSES[0], 0.1),
        FoundImage("train", 13, "a/z.png", CLASSES[1], suggested=CLASSES[1], near_duplicates=("a/x.png",)),
    )
    return ExaminedRun(CLASSES, images, parts)


def same_picture(path: Path, examined: ExaminedRun, number: int) -> bool:
    return bool((np.asarray(Image.open(path)) == examined.pixels(examined.images[number])).all())


def test_only_images_with_a_finding_are_sent(examined: ExaminedRun) -> None:
    assert [image.id for image in examined.found().images] == [10, 11, 13]


def annotated(tasks: list[dict], answers: dict[int, dict[str, str]]) -> list[dict]:
    """The tasks as Label Studio exports them once a reader has answered."""
    for number, task in enumerate(tasks):
        result = [
            {"from_name": name, "to_name": "image", "type": "choices", "value": {"choices": [value]}}
            for name, value in answers.get(number, {}).items()
        ]
        done = {
            "was_cancelled": False,
            "updated_at": "2026-11-29T12:00:00Z",
            "completed_by": {"email": "a@b.c"},
        }
        task["annotations"] = [done | {"result": result}] if result else []
    return tasks


def test_label_studio_there_and_back(examined: ExaminedRun, tmp_path: Path) -> None:
    tasks_file, config = write_label_studio(tmp_path, examined)
    tasks = json.loads(tasks_file.read_text("utf-8"))
    assert same_picture(tmp_path / tasks[0]["data"]["image"].split("?d=")[1], examined, 0)
    controls = {tag.get("name"): tag for tag in ElementTree.parse(config).iter() if tag.get("name")}
    offered = {name: {c.get("value") for c in controls[name]} for name in ("label", "decision")}
    for task in tasks:
        for one in task["predictions"][0]["result"]:
            assert one["to_name"] in controls
            assert set(one["value"]["choices"]) <= offered[one["from_name"]]
    answers = {
        0: {"label": CLASSES[1]},
        1: {"label": CLASSES[1], "decision": "remove"},
        3: {"label": CLASSES[1]},
    }
    export = tmp_path / "export.json"
    export.write_text(json.dumps(annotated(tasks, answers)), encoding="utf-8")
    decisions = read_label_studio(export)
    assert [(d.split, d.id, d.decision, d.label) for d in decisions] == [
        ("test", 10, "relabel", CLASSES[1]),
        ("test", 11, "remove", CLASSES[1]),
        ("train", 13, "keep", CLASSES[1]),
    ]
    assert {d.who for d in decisions} == {"a@b.c"}


def test_label_studio_of_another_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"data": {"text": "a"}, "annotations": [{"result": [1]}]}]')
    with pytest.raises(UsageError, match="JSON export of tasks that DeepSight wrote"):
        read_label_studio(tmp_path / "x.json")


def test_cvat_there_and_back(examined: ExaminedRun, tmp_path: Path) -> None:
    (file,) = write_cvat(tmp_path, examined)
    tree = ElementTree.parse(file)
    images = tree.findall("image")
    declared = {label.findtext("name") for label in tree.iter("label")}
    assert declared == set(CLASSES)
    assert {image.find("tag").get("label") for image in images} <= declared
    assert [(i.get("width"), i.get("height")) for i in images] == [("16", "12")] * 4
    assert same_picture(tmp_path / "images" / images[1].get("name"), examined, 1)
    untouched = {(d.id, d.decision) for d in read_cvat(file)}
    assert untouched == {(10, "relabel"), (11, "keep"), (12, "keep"), (13, "keep")}
    images[1].find("tag/attribute[@name='decision']").text = "unsure"
    images[2].find("tag").set("label", CLASSES[1])
    images[3].remove(images[3].find("tag"))
    tree.write(file, encoding="utf-8")
    assert [(d.id, d.decision, d.label, d.file) for d in read_cvat(file)] == [
        (10, "relabel", CLASSES[1], "a/x.png"),
        (11, "unsure", CLASSES[1], "a/y.png"),
        (12, "relabel", CLASSES[1], "ü.png"),
    ]


def test_cvat_with_two_tags_or_a_document_type_is_refused(examined: ExaminedRun, tmp_path: Path) -> None:
    (file,) = write_cvat(tmp_path, examined)
    text = file.read_text("utf-8")
    file.write_text(text.replace("<annotations>", "<!DOCTYPE x><annotations>", 1), encoding="utf-8")
    with pytest.raises(UsageError, match="document type"):
        read_cvat(file)
    tree = ElementTree.fromstring(text)
    tree.find("image").append(tree.findall("image")[1].find("tag"))
    file.write_text(ElementTree.tostring(tree, encoding="unicode"), encoding="utf-8")
    with pytest.raises(UsageError, match="one tag"):
        read_cvat(file)


def test_fiftyone_finds_each_picture_by_its_stem(examined: ExaminedRun, tmp_path: Path) -> None:
    """As the importer of `FiftyOneImageClassificationDataset` does: stems in data/, targets into classes."""
    (file,) = write_fiftyone(tmp_path, examined)
    content = json.loads(file.read_text("utf-8"))
    stems = {path.stem: path for path in (tmp_path / "data").iterdir()}
    assert set(content["labels"]) == set(stems)
    for number, (stem, target) in enumerate(content["labels"].items()):
        assert content["classes"][target["label"]] == examined.images[number].given
        assert same_picture(stems[stem], examined, number)
    assert content["labels"]["train-000013"]["attributes"]["near_duplicates"] == ["a/x.png"]


def test_the_columns_are_those_of_the_real_datalab(examined: ExaminedRun) -> None:
    datalab = pytest.importorskip("cleanlab.datalab.datalab")
    pytest.importorskip("datasets")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 15)
    features = rng.normal(labels[:, None] * 3, 1, (30, 4))
    lab = datalab.Datalab({"y": labels.tolist()}, label_name="y", verbosity=0)
    ours = issues_frame(examined)
    probabilities = np.stack([0.9 - 0.8 * labels, 0.1 + 0.8 * labels], axis=1)
    # One process: a pool that is forked beside the threads of polars may wait for ever.
    alone = {"clean_learning_kwargs": {"find_label_issues_kwargs": {"n_jobs": 1}}}
    lab.find_issues(
        pred_probs=probabilities, features=features, issue_types={"label": alone, "near_duplicate": {}}
    )
    known = set(lab.get_issues("label").columns) | set(lab.get_issues("near_duplicate").columns)
    assert set(ours.columns) - {"file", "split", "id"} <= known
    score = lab.get_issues("label")["label_score"]
    assert ours["label_score"].drop_nulls().is_between(0, 1).all()
    assert score.between(0, 1).all()
    assert (
        ours.filter("is_label_issue")["label_score"].max()
        < ours.filter(~pl.col("is_label_issue"))["label_score"].min()
    )


def test_the_datasets_library_reads_the_imagefolder(
    examined: ExaminedRun, tmp_path: Path, monkeypatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write_imagefolder(tmp_path / "out", examined)
    read = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")
    )
    assert {name: len(part) for name, part in read.items()} == {"train": 1, "test": 3}
    rows = {row["index"]: row for row in read["test"]}
    assert rows[10]["label"] == "ant"
    assert (rows[10]["suggested"], rows[11]["label_error"]) == (CLASSES[1], -1)
    assert (np.asarray(rows[12]["image"]) == examined.pixels(examined.images[2])).all()


def test_a_format_that_does_not_come_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known are: cvat, label-studio"):
        receive_decisions(tmp_path / "x", "fiftyone", tmp_path / "decisions.csv")


def test_the_command_writes_the_decisions_that_apply_reads(examined: ExaminedRun, tmp_path: Path) -> None:
    (file,) = write_cvat(tmp_path, examined)
    out = tmp_path / "decisions.csv"
    done = CliRunner().invoke(app, ["receive", str(file), "--from", "cvat", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert len(read_decisions(out)) == 4
