"""The public names: real, typed, documented by examples that run, and quick to import."""

import doctest
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import deepsight
from deepsight.core.run import Run

ROOT = Path(__file__).parents[1]
FUNCTIONS = [name for name in deepsight.__all__ if name[0].islower()]
TRAINING = ("run_study", "treat")


def write_photos(folder: Path, per_class: int) -> None:
    """Noise of two brightnesses as two classes."""
    rng = np.random.default_rng(0)
    for name, brightness in (("bird", 60), ("cat", 160)):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = rng.integers(brightness - 50, brightness + 50, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture
def workplace(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the examples have it: photos of two classes, one photo, two runs."""
    monkeypatch.chdir(tmp_path)
    write_photos(Path("photos"), 100)
    Image.new("RGB", (90, 60), "skyblue").save("photo.jpg")
    Path("runs").mkdir()
    for name in ("first", "second"):
        Path("runs", name).symlink_to(trained_run.path)
    return tmp_path


def examples_of(thing: Any) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")


def failures_of_examples(name: str) -> str:
    """What goes wrong where the examples of a public name are executed as they stand; else nothing."""
    thing: Any = deepsight
    for part in name.split("."):
        thing = getattr(thing, part)
    examples = examples_of(thing)
    if not examples:
        return f"{name} has no example"
    test = doctest.DocTest(examples, {}, name, None, 0, inspect.getdoc(thing))
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", [*(name for name in FUNCTIONS if name not in TRAINING), "Run.open"])
def test_the_example_of_each_public_function_runs(workplace: Path, name: str) -> None:
    assert failures_of_examples(name) == ""


@pytest.mark.slow
def test_the_examples_that_train_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order: treat takes up the run that run_study made."""
    monkeypatch.chdir(tmp_path)
    write_photos(Path("photos"), 40)
    assert [failures_of_examples(name) for name in TRAINING] == ["", ""]


def test_the_public_names_stay_themselves_when_a_folder_of_that_name_is_imported() -> None:
    import deepsight.treat.compare

    assert callable(deepsight.treat)
    assert deepsight.treat is deepsight.treat
    assert set(deepsight.__all__) <= set(dir(deepsight))
    with pytest.raises(AttributeError, match="no attribute 'load_images'"):
        deepsight.load_images  # noqa: B018


def test_paths_are_strings_or_paths() -> None:
    takes_paths: list[tuple[Callable[..., Any], list[str]]] = [
        (deepsight.run_study, ["out"]), (deepsight.treat, ["run_folder"]),
        (deepsight.compare, ["run_a", "run_b"]), (deepsight.predict, ["run_folder", "maps"]),
        (deepsight.export_model, ["run_folder", "file"]), (deepsight.load_dataset, ["data_dir"]),
    ]  # fmt: skip
    for function, names in takes_paths:
        for name in names:
            annotation = str(inspect.signature(function).parameters[name].annotation)
            assert annotation.startswith("str | pathlib"), (function.__name__, name, annotation)


SNIPPET = """
from deepsight import (
    Dataset, Findings, Predictions, Run, StudyConfig, compare, examine, export_model, load_dataset, predict,
    run_study, treat,
)

data: Dataset = load_dataset("folder:photos").train
config = StudyConfig(data="folder:photos", minutes=2, data_dir="mine")
reveal_type(run_study(config, "runs/new", log=print))
reveal_type(Run.open("runs/new").predictions("test"))
reveal_type(examine(Run.open("runs/new").predictions("test"), data).evidence)
reveal_type(compare("runs/a", "runs/b"))
reveal_type(treat("runs/a", minutes=3))
reveal_type(predict("runs/a", ["photo.jpg"])[0])
reveal_type(export_model("runs/a", file="model.onnx"))
StudyConfig(minutes="soon")
predict(1, [])
"""
REVEALED = [
    "dict[str, Any]",
    "Predictions",
    "Evidence",
    "Evidence",
    "Evidence",
    "dict[str, Any]",
    "dict[str, Any]",
]


@pytest.mark.slow
def test_a_user_s_snippet_is_type_checked(tmp_path: Path) -> None:
    """mypy sees the real types, and finds the two mistakes at the end."""
    pytest.importorskip("mypy")
    (tmp_path / "snippet.py").write_text(SNIPPET)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", tmp_path / "snippet.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    notes = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(notes) == len(REVEALED), done.stdout
    for line, kind in zip(notes, REVEALED, strict=True):
        assert kind in line
    errors = [line for line in done.stdout.splitlines() if "snippet.py" in line and "error:" in line]
    assert [line.split("[")[-1] for line in errors] == ["arg-type]", "arg-type]"], done.stdout


@pytest.mark.parametrize("statement", ["import deepsight", "from deepsight.cli.main import app"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    """What takes seconds is imported when it is used; counted by module, since a test asserts no seconds."""
    code = textwrap.dedent(f"""
        import sys
        {statement}
        heavy = ("torch", "numpy", "polars", "scipy", "sklearn", "pydantic", "PIL", "keras", "timm", "jinja2")
        print(*[name for name in heavy if name in sys.modules])
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
