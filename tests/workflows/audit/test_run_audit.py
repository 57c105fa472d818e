"""An audit finds every fault that was planted, and a clean data set has none of them."""

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.run import Run
from deepsight.core.schemas.json_files import AuditResults
from deepsight.workflows.audit.run_audit import audit
from deepsight.workflows.gates.conditions import check_gates
from photos import photos, save_with_exif, write_photos

N = 90


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def with_faults(root: Path) -> None:
    """Train and test folders of two classes, with one of each fault."""
    images, labels = photos(N + 30)
    images[4], images[9] = images[4] // 6, cv2.GaussianBlur(images[9], (0, 0), 5)
    images[N + 2] = images[0]  # an exact copy in test of a training image
    images[N + 4] = np.clip(images[2] * 0.85 + 12, 0, 255)  # a near one
    images[7] = images[5] + 0  # an exact copy within train ...
    labels[7] = 1 - labels[5]  # ... under another label
    for name, rows in {"train": slice(0, N), "test": slice(N, N + 30)}.items():
        write_photos(root / name, images[rows], labels[rows])
    (root / "train" / "first" / "broken.png").write_bytes(b"no picture")
    (root / "train" / "first" / "second 1.png").write_bytes(
        (root / "train" / "first" / "0010.png").read_bytes()[:0] + png(images[20])
    )
    Image.fromarray(images[30]).resize((240, 40)).save(root / "train" / "first" / "long.png")


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Run]:
    folder = tmp_path_factory.mktemp("faulty")
    with_faults(folder / "data")
    return audit(str(folder / "data"), folder / "audit"), Run.open(folder / "audit")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Run]:
    folder = tmp_path_factory.mktemp("clean")
    images, labels = photos(N, seed=8)
    write_photos(folder / "data", images, labels)
    return audit(f"folder:{folder / 'data'}", folder / "audit"), Run.open(folder / "audit")


def named(run: Run, table: str, **values: str) -> set[str]:
    """The last parts of the files in the rows of a table."""
    frame = run.evidence()[table].frame.filter(**values) if values else run.evidence()[table].frame
    return {Path(file).name for file in frame["file"]}


@pytest.mark.slow
def test_every_planted_fault_is_found_by_name(faulty: tuple[dict, Run]) -> None:
    found, run = faulty
    assert "0004.png" in named(run, "image_issues", issue="dark")
    assert "0009.png" in named(run, "image_issues", issue="blurred")
    assert named(run, "image_issues", issue="odd aspect") == {"long.png"}
    assert named(run, "unreadable") == {"broken.png"}
    assert named(run, "misnamed") == {"second 1.png"}
    pairs = run.evidence()["duplicates"].frame.filter("flagged")
    across = pairs.filter(pl.col("split_a") != pl.col("split_b"))
    assert sorted(across["kind"]) == ["exact", "near"]
    conflicts = run.evidence()["conflicting_copies"].frame
    assert conflicts.select("label_a", "label_b").row(0) in {("first", "second"), ("second", "first")}
    metrics = found["metrics"]
    assert metrics["split_leakage_share"]["value"] == pytest.approx(4 / found["n"])
    assert metrics["conflicting_copy_share"]["value"] == pytest.approx(2 / found["n"])
    assert metrics["unreadable_share"]["value"] == pytest.approx(1 / (found["n"] + 1))


@pytest.mark.slow
def test_a_clean_data_set_has_none_of_them(clean: tuple[dict, Run]) -> None:
    found, _ = clean
    assert found["n_by_split"] == {"all": N}
    zero = [
        "unreadable_share", "dark_share", "bright_share", "blurred_share", "low_information_share",
        "odd_size_share", "odd_aspect_share", "exact_duplicate_share", "near_duplicate_share",
        "split_leakage_share", "conflicting_copy_share", "misnamed_share", "shortcut_gain",
    ]  # fmt: skip
    assert {name: found["metrics"][name]["value"] for name in zero} == dict.fromkeys(zero, 0)
    assert found["metrics"]["outlier_share"]["value"] <= 0.05
    assert found["metrics"]["label_error_share"]["value"] <= 0.05


@pytest.mark.slow
def test_the_folder_holds_a_report_and_results_that_fit_the_schema(faulty: tuple[dict, Run]) -> None:
    found, run = faulty
    AuditResults.model_validate(json.loads(run.file("audit.json").read_text(encoding="utf-8")))
    page = run.file("report.html").read_text(encoding="utf-8")
    for question in (
        "Which pictures are odd?",
        "Which copies have two labels?",
        "Which files cannot be used?",
    ):
        assert question in page
    assert "Drift" not in page.split("</nav>")[0]
    assert f"{found['n']} images of 2 classes were audited" in page
    assert Run.open(run.path).holds("report.html")


@pytest.mark.slow
def test_an_audit_is_no_study(faulty: tuple[dict, Run]) -> None:
    done = CliRunner().invoke(app, ["interpret", str(faulty[1].path)])
    assert isinstance(done.exception, DeepSightError)
    assert "holds the audit of a data set" in str(done.exception)
    assert CliRunner().invoke(app, ["report", str(faulty[1].path)]).exit_code == 0


@pytest.mark.slow
def test_gates_read_the_results_and_refuse_what_an_audit_has_not(faulty: tuple[dict, Run]) -> None:
    run = faulty[1]
    results = check_gates(run.path, ["split_leakage_share <= 1 %", "dark_share <= 50 %"])
    assert [result.passed for result in results] == [False, True]
    assert run.read_json("audit.json")["gates"][0]["passed"] is False
    with pytest.raises(UsageError, match="a metric of the audit"):
        check_gates(run.path, ["macro_f1 >= 0.5"])


@pytest.mark.slow
def test_the_command_ends_with_status_3_where_a_gate_fails(clean: tuple[dict, Run], tmp_path: Path) -> None:
    data = str(clean[1].read_json("data.json")["data"])
    command = [
        "audit",
        data,
        "--out",
        str(tmp_path / "out"),
        "--weights",
        str(tmp_path / "absent.safetensors"),
    ]
    passed = CliRunner().invoke(app, [*command, "--gate", "near_duplicate_share <= 2 %"])
    assert passed.exit_code == 0, passed.output
    failed = CliRunner().invoke(
        app, [*command, "--gate", "class_imbalance > 3", "--json", "--out", str(tmp_path / "2")]
    )
    assert failed.exit_code == 3
    assert 'failures="1"' in (tmp_path / "2" / "junit.xml").read_text(encoding="utf-8")
    reasons = dict(Run.open(tmp_path / "2").evidence()["not_examined"].frame.rows())
    assert "absent.safetensors" in reasons["label_errors"]
    wrong = CliRunner().invoke(app, [*command, "--gate", "darkness <= 1"])
    assert isinstance(wrong.exception, UsageError)


@pytest.mark.slow
def test_a_folder_without_classes_is_audited_without_labels(tmp_path: Path) -> None:
    images, labels = photos(24, seed=4)
    images[3] = images[11]
    write_photos(tmp_path / "new", images, labels * 0)
    found = audit(str(tmp_path / "new"), tmp_path / "audit")
    assert found["classes"] is None
    assert found["metrics"]["exact_duplicate_share"]["value"] == pytest.approx(1 / 24)
    assert "label_error_share" not in found["metrics"]
    with pytest.raises(UsageError, match="Expected a folder"):
        audit(str(tmp_path / "nowhere"), tmp_path / "other")


@pytest.mark.slow
def test_cameras_and_sessions_that_leak_are_found(tmp_path: Path) -> None:
    """Eight scenes of one class each, ten exposures a scene, spread over train and test."""
    images, _ = photos(8, seed=6)
    rng = np.random.default_rng(0)
    for row in range(80):
        scene, split = row // 10, "test" if row % 5 == 0 else "train"
        noisy = np.clip(images[scene] + rng.normal(0, 8, images[scene].shape), 0, 255).astype(np.uint8)
        file = tmp_path / "data" / split / ("first", "second")[scene % 2] / f"{row * 37 % 80}k.jpg"
        taken = f"2024:05:0{1 + scene} 10:00:{row % 10:02d}"
        save_with_exif(file, noisy, camera=f"Acme {scene % 2}", taken=taken)
    found = audit(str(tmp_path / "data"), tmp_path / "audit")
    evidence = Run.open(tmp_path / "audit").evidence()
    assert {"camera", "day"} <= set(evidence["shortcuts"].frame.filter("flagged")["attribute"])
    assert found["metrics"]["shortcut_gain"]["value"] > 0.3
    assert len(evidence["suggested_groups"].frame) == 8
    assert found["metrics"]["group_leakage_share"]["value"] == 1
