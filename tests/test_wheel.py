"""The wheel, installed into an environment of its own, works without the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import yaml

import deepsight
from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.recipe import Recipe

ROOT = Path(__file__).parents[1]
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "src")

pytestmark = pytest.mark.slow


def call(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed; neither the repository nor the user's cache is in reach."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["DEEPSIGHT_CACHE"] = str(cwd / "cache")
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sdist, and the wheel that is built from it."""
    pytest.importorskip("build")
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, source, cwd=dist)
    return sorted(dist.glob("deepsight_forensics-*"))


@pytest.fixture(scope="module")
def installed(built: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the wheel, and borrows what it depends on."""
    home = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    wheel = next(path for path in built if path.suffix == ".whl")
    python = home / "bin" / "python"
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    call(sys.executable, *install, cwd=home)
    # A path in a .pth file is searched after the environment's own packages, and its .pth files (such as that
    # of an editable installation of the repository) are not read.
    (own,) = home.glob("lib/python*/site-packages")
    (own / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home / "bin"


def test_sdist_and_wheel_are_built(built: list[Path]) -> None:
    version = deepsight.__version__
    assert [path.name for path in built] == [
        f"deepsight_forensics-{version}-py3-none-any.whl",
        f"deepsight_forensics-{version}.tar.gz",
    ]


def test_the_installed_command_explains_itself(installed: Path, tmp_path: Path) -> None:
    assert "examine" in call(installed / "deepsight", "--help", cwd=tmp_path)
    assert call(installed / "deepsight", "--version", cwd=tmp_path).split()[1] == deepsight.__version__
    where = call(installed / "python", "-c", "import deepsight; print(deepsight.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_command_does_a_study(installed: Path, tmp_path: Path) -> None:
    rng, labels = np.random.default_rng(0), np.arange(120) % 2
    images = rng.integers(0, 120, (120, 32, 32, 3)) + 100 * labels[:, None, None, None]
    np.savez(tmp_path / "own.npz", images=images.astype(np.uint8), labels=labels)
    plan = StudyPlan(
        backbone="tf_efficientnet_lite0", train_rows=60, recipe=Recipe(resolution=32, epochs=1, views=1),
        degradation_images=50, context_objects=50, faithfulness_images=5,
    )  # fmt: skip
    study = StudyConfig(data="arrays:own.npz", mva=0, offline=True, plan=plan).stored()
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    said = call(installed / "deepsight", "run", "--config", "study.yaml", "--out", "run", cwd=tmp_path)
    assert "macro-F1" in said
    assert "<html" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
