"""Shards on an object store, audited and examined by the workers of a Ray cluster that are killed on the way.

Every command runs twice, as a user would give it: by the local engine, and by two workers of a Ray cluster in
processes of its own. On Ray the command itself is killed once (SIGKILL) and given again, and then one of the
workers is killed. The tables must be the same.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
from processes import Watched, kill, local_cluster, watching
from shards import write_shards

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.model.predict import BLOCK
from deepsight.workflows.audit.passes import BLOCK as AUDIT_BLOCK
from deepsight.workflows.study import run_until
from made_shards import ObjectStoreHandler, file_server

TRAIN, WORKERS, BOUND_MB = 1_500, 2, 3_000  # training images; of the cluster; of one worker
DRIVER_KILLED, WORKER_KILLED = 0.3, 0.6  # after these shares of the blocks of a pass
COMMANDS = ("audit", "examine")
# The passes in which the command and a worker are killed. An audit searches for copies between them, without
# blocks: a command that is killed later would search again.
PASSES = {"audit": ("measures", "features"), "examine": ("frozen", "frozen")}
ROWS = {"audit": AUDIT_BLOCK, "examine": BLOCK}  # in a block
FEWEST_BLOCKS = 3  # below which nobody is killed
MEASURED = "seconds"  # a column that no two calls share
SECONDS = r"\b\d+ s\b|--minutes \d+"  # in a sentence about a check that did not fit into the minutes
# Levers, and what rests on them, are tried as far as the time lasts: tables that two calls need not share.
TIMED = ("lever", "ledger")
KEYS = ("split", "index")  # by which rows are compared: close scores may change places
LIMIT = 7200  # seconds of one command


def proof_rows(folder: Path, n: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """One row per command and engine; n test images beside `TRAIN` training images.

    Args:
        folder: of the proof.
        n: test images.
        names: of the commands.
    """
    bucket = folder / "pictures"
    train, test = write_shards(bucket, TRAIN), write_shards(bucket, n)
    data = f"webdataset:s3://{bucket.name}/{train}?test=s3://{bucket.name}/{test}&side=16"
    with object_store(folder) as environment:
        commands = {"audit": ["audit", data, "--backbone", "tf_efficientnet_lite0"]}
        if "examine" in names:
            model = trained_model(folder, f"webdataset:s3://{bucket.name}/{train}?side=16", environment)
            # Few minutes: no check on samples, whose sizes follow from measured seconds, and no reference.
            commands["examine"] = [
                "examine", "--model", f"run:{model}", "--data", data, "--minutes", "0.1",
            ]  # fmt: skip
        commands = {name: commands[name] for name in names}
        rows = [carried_out(name, command, folder, n, environment) for name, command in commands.items()]
        # Ray refuses sockets with long paths, so its folder lies in the system's temporary one.
        with (
            tempfile.TemporaryDirectory(prefix="ray-") as place,
            local_cluster(WORKERS, Path(place), environment) as (address, raylet),
        ):
            joined = {**environment, "RAY_ADDRESS": address}
            rows += [
                carried_out(name, command, folder, n, joined, raylet) for name, command in commands.items()
            ]
    local, spread = rows[: len(names)], rows[len(names) :]
    return [*local, *({**row, **compared(folder, row["part"])} for row in spread)]


@contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a command that finds the folders of a folder as the buckets of an object store."""
    with file_server(folder, ObjectStoreHandler) as url:
        keys = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield {
            **os.environ, **keys, "AWS_ENDPOINT_URL": url, "HF_HUB_OFFLINE": "1",
            "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }  # fmt: skip


def trained_model(folder: Path, data: str, environment: Mapping[str, str]) -> Path:
    """A run with a model that was trained on the training images at 32 pixels; made once per folder."""
    out = folder / "model"
    if not (out / "model.safetensors").exists():
        plan = StudyPlan(
            backbone="tf_efficientnet_lite0", train_rows=1_000,
            recipe=Recipe(resolution=32, epochs=1, views=1),
            degradation_images=1, context_objects=1, faithfulness_images=1,
        )  # fmt: skip
        os.environ.update(environment)
        os.environ["DEEPSIGHT_CACHE"] = str(folder / "cache-model")
        run = Run.create(out, StudyConfig(data=data, plan=plan).stored())
        run_until("train", run.path, log=print_to_errors)
    return out


def print_to_errors(line: Any) -> None:
    """Show what the work says beside the results."""
    print(line, file=sys.stderr, flush=True)


def carried_out(
    name: str, command: list[str], folder: Path, n: int, environment: Mapping[str, str],
    raylet: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One command by one engine: its seconds, and the memory of each process at its peak.

    What was measured lies in the folder: a proof that is stopped goes on with the unfinished command.
    """
    engine = "local" if raylet is None else "ray"
    noted = folder / f"{name}-{engine}.json"
    if noted.exists():
        return dict(json.loads(noted.read_text(encoding="utf-8")))
    cache = folder / f"cache-{engine}"
    words = [sys.executable, "-m", "deepsight", *command, "--engine", engine]
    words += ["--out", str(folder / f"{name}-{engine}")]
    own = {**environment, "DEEPSIGHT_CACHE": str(cache)}
    watched = Watched(BOUND_MB, raylet=raylet)
    began = time.perf_counter()
    watched.look()
    before = sum(watched.used.values())  # Ray's own processes have run before
    with watching(watched):
        kills = 0 if raylet is None else killed_twice(name, words, own, cache, n, watched)
        if raylet is None:
            waited(started(words, own, watched))
    seconds = time.perf_counter() - began
    peaks = {f"{role}_mb": round(peak) for role, peak in watched.peaks.items()}
    workers = 1 if raylet is None else WORKERS
    row = {
        "part": f"proof: {name}", "images": n, "workers": workers, "seconds": round(seconds, 1),
        "processor_seconds": round(sum(watched.used.values()) - before, 1), "kills": kills,
    }  # fmt: skip
    row |= {**peaks, "exceeded": watched.exceeded}
    print_to_errors(row)
    noted.write_text(json.dumps(row), encoding="utf-8")
    return row


def killed_twice(
    name: str, words: list[str], environment: Mapping[str, str], cache: Path, n: int, watched: Watched
) -> int:
    """The command on Ray: killed itself, given again, and a worker killed; the number of kills."""
    first, second = PASSES[name]
    blocks = -(-(n + TRAIN if name == "audit" else n) // ROWS[name])
    if blocks < FEWEST_BLOCKS:
        waited(started(words, environment, watched))
        return 0
    process = started(words, environment, watched)
    reached(DRIVER_KILLED * blocks, cache, first, process)
    kill(process.pid)
    process.wait()
    process = started(words, environment, watched)
    reached(WORKER_KILLED * blocks, cache, second, process)
    workers = watched.workers()
    if workers:
        kill(workers[0])
    waited(process)
    return 1 + bool(workers)


def started(words: list[str], environment: Mapping[str, str], watched: Watched) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    process = subprocess.Popen(words, env=dict(environment), stdout=sys.stderr)
    watched.driver = process.pid
    return process


def waited(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a command, which must be a good one."""
    if process.wait(LIMIT) not in (0, 3):  # 3: the score is below the gate, which says nothing here
        raise SystemExit(f"The command ended with status {process.returncode}.")


def reached(count: float, cache: Path, which: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a pass has finished so many blocks."""
    while process.poll() is None:
        if len(list(cache.glob(f"passes/*-{which}/block_*.npz"))) >= max(1, count):
            return
        time.sleep(0.02)
    raise SystemExit(f"The command ended with status {process.returncode} before anybody was killed.")


def compared(folder: Path, part: str) -> dict[str, Any]:
    """How many tables a command made, how many both engines made alike, and the largest difference."""
    name = part.removeprefix("proof: ")
    places = [folder / f"{name}-{engine}/evidence" for engine in ("local", "ray")]
    names = [
        {path.name for path in place.glob("*.parquet") if not path.name.startswith(TIMED)} for place in places
    ]
    if names[0] != names[1]:
        raise SystemExit(f"Expected the same tables from both engines, found {names[0] ^ names[1]} in one.")
    differences = {
        table: largest_difference(*(pl.read_parquet(place / table) for place in places)) for table in names[0]
    }
    for table, difference in differences.items():
        if difference:
            print_to_errors(f"{name}: {table} differs by {difference:g}")
    same = sum(difference == 0 for difference in differences.values())
    return {"tables": len(differences), "same": same, "difference": max(differences.values())}


def largest_difference(here: pl.DataFrame, there: pl.DataFrame) -> float:
    """Of the numbers of two tables, as a share of the largest in their column (of 1 where all are smaller).

    0 where the tables are equal but for measured seconds, also in sentences; infinite where anything else
    differs.
    """
    if here.shape != there.shape or here.schema != there.schema:
        return float("inf")
    if set(KEYS) <= set(here.columns):
        here, there = here.sort(KEYS), there.sort(KEYS)
    largest = 0.0
    for column in here.drop(MEASURED, strict=False).columns:
        a, b = (
            table[column].str.replace_all(SECONDS, "") if table.schema[column] == pl.String else table[column]
            for table in (here, there)
        )
        if a.equals(b):
            continue
        if not a.dtype.is_float() or not a.is_null().equals(b.is_null()):
            return float("inf")
        x, y = a.drop_nulls().to_numpy(), b.drop_nulls().to_numpy()
        scale = max(1.0, float(np.nanmax(np.abs(x), initial=0)))
        largest = max(largest, float(np.nanmax(np.abs(x - y), initial=0)) / scale)
    return largest
