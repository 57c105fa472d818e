"""What does each pass over images cost, and how do time and memory grow with their number?

    python benchmarks/scale/run.py [--images 10000 100000]
                                   [--parts decode killed measures reductions features proof]
                                   [--workers 1 2] [--folder FOLDER] [--smoke]

Writes WebDataset shards of generated pictures (16 pixels, 10 classes) and carries out, each in a process of
its own:

decode      the shards, served over HTTP on the loopback, into the cache
killed      the same, killed twice on the way; the pixels must be those of the undisturbed decoding
measures    brightness, sharpness and the other measures of an audit; with two workers on Ray
reductions  confusion, calibration and per-class tables of n predictions
features    (only where it is named) the network of an audit on so many workers of Ray, each with one thread:
            images per second over the second half, when all of them have started
proof       (only where it is named) an audit and an examination from an object store by two workers of Ray,
            killed twice on the way; the tables must be those of the local engine

Seconds of processor time are given beside those of the clock: the machine may be shared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measured import measured
from proof import COMMANDS, proof_rows
from shards import SIDE, K, served, write_shards

from deepsight.core.predictions import Predictions
from deepsight.core.progress import silent
from deepsight.interpret.error_analysis.calibration import calibration_table
from deepsight.interpret.error_analysis.confusion import confusion_table
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.obtain import load_dataset
from deepsight.obtain.decoding import decode
from deepsight.obtain.decoding.image_store import StoredImages
from deepsight.workflows.audit.passes import BLOCK
from deepsight.workflows.audit.passes import SIDE as NETWORK_SIDE
from deepsight.workflows.passes.block_passes import LOCAL, blocks_in_order, run_blocks
from deepsight.workflows.passes.image_passes import open_features, open_measures, precision_of_long_passes

HERE = Path(__file__).parent
PARTS = ("decode", "killed", "measures", "reductions")
ON_WORKERS = ("measures", "features")  # parts that run once per number of workers
PROOF = "proof"  # only where it is asked for: it takes a Ray cluster
KILLED_AT = (0.3, 0.6)  # shares of the blocks
CHILD = "decode-killed"  # the part that is killed


def cache_of(folder: Path, n: int, kind: str) -> Path:
    """The cache of one decoding."""
    return folder / f"cache-{kind}-{n}"


def decoded(folder: Path, n: int, kind: str) -> dict[str, Any]:
    """Decode the shards into a cache of its own; gives the digest of the pixels."""
    os.environ["DEEPSIGHT_CACHE"] = str(cache_of(folder, n, kind))
    decode.BLOCK_BYTES = rows_of_block(n) * SIDE**2 * 3
    with served(folder) as url:
        got = load_dataset(f"webdataset:{url}/{write_shards(folder, n)}?side={SIDE}", log=silent)
    return {"sha256": got.record["sha256_of_pixels"]["all"], "n": len(got.train) + len(got.test)}


def of_decode(folder: Path, n: int, workers: int) -> dict[str, Any]:
    """The cost of decoding."""
    found = decoded(folder, n, "whole")
    return {"checked": found["sha256"][:16]}


def of_killed(folder: Path, n: int, workers: int) -> dict[str, Any]:
    """Decoding that is killed twice, and then completed; `same`: whether the pixels are those of `decode`."""
    cache, kills = cache_of(folder, n, "killed"), 0
    command = [sys.executable, __file__, "--within", str(folder), "--images", str(n), "--parts", CHILD]
    for share in KILLED_AT:
        process = subprocess.Popen(command)
        while process.poll() is None and blocks_in(cache) < share * n / rows_of_block(n):
            time.sleep(0.02)
        kills += process.poll() is None
        process.kill()
        process.wait()
    found, whole = decoded(folder, n, "killed"), decoded(folder, n, "whole")
    same, left = found["sha256"] == whole["sha256"], blocks_in(cache)
    return {"kills": kills, "same": same, "blocks_left": left}  # blocks that nobody took up would be left


def rows_of_block(n: int) -> int:
    """Images in a block, so that there are some ten blocks; product code takes 64 MB."""
    return max(1, n // 10 // decode.CHUNK) * decode.CHUNK


def blocks_in(cache: Path) -> int:
    """The finished blocks of a decoding."""
    return len(list(cache.rglob("*_block_*.npz")))


def decoded_images(folder: Path, n: int) -> Path:
    """The file of the pixels that `decode` wrote."""
    (path,) = cache_of(folder, n, "whole").rglob("all_images.npy")
    return path


def start_ray(workers: int) -> None:
    """A cluster on this machine with so many processors, which is as many workers."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)


def of_features(folder: Path, n: int, workers: int) -> dict[str, Any]:
    """The network of an audit on Ray; the rate is that of the second half."""
    start_ray(workers)
    load = {"backbone": "tf_efficientnet_lite0", "weights": "auto"}
    images, precision = StoredImages(decoded_images(folder, n)), precision_of_long_passes()
    work, ended, total = partial(open_features, images, load, NETWORK_SIDE, precision), [], 0.0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        for rows, found in blocks_in_order(
            work, n, block=BLOCK, engine="ray", kept=Path(kept) / "blocks", name="images", log=silent
        ):
            ended.append((time.perf_counter(), rows.stop))
            total += float(found["features"].sum())
    (first, done), (last, _) = ended[len(ended) // 2], ended[-1]  # workers start one after the other
    return {
        "checked": f"{total:.6g}", "pass_seconds": round(last - began, 2),
        "per_second": round((n - done) / (last - first), 1),
    }  # fmt: skip


def of_measures(folder: Path, n: int, workers: int) -> dict[str, Any]:
    """The measures of an audit over the decoded images."""
    path = decoded_images(folder, n)
    if workers > 1:
        start_ray(workers)
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        began = time.perf_counter()
        found = run_blocks(
            partial(open_measures, StoredImages(path)), n, block=BLOCK, kept=Path(kept) / "blocks",
            engine=LOCAL if workers == 1 else "ray", name="images", log=silent,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    return {"checked": f"{float(found['sharpness'].sum()):.6f}", "pass_seconds": round(seconds, 2)}


def of_reductions(folder: Path, n: int, workers: int) -> dict[str, Any]:
    """The tables that `examine` makes of n predictions."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, n)
    logits = rng.standard_normal((n, K), dtype=np.float32)
    logits[np.arange(n), labels] += 2
    said = Predictions(np.arange(n), labels, logits, np.zeros((n, 0), np.float32))
    classes = tuple(map(str, range(K)))
    began = time.perf_counter()
    tables = [
        confusion_table(said.labels, said.predicted, classes),
        per_class_table(said.labels, said.predicted, classes, {}),
        calibration_table(said.probabilities, said.labels),
    ]
    return {
        "checked": str(sum(len(table.frame) for table in tables)),
        "pass_seconds": round(time.perf_counter() - began, 2),
    }


OF: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    "decode": of_decode, "killed": of_killed, "measures": of_measures, "reductions": of_reductions,
    "features": of_features,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--parts", nargs="+", default=list(PARTS))
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument(
        "--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="that the proof gives"
    )
    parser.add_argument("--folder", type=Path, help="a disk with room; else the system's temporary")
    parser.add_argument("--smoke", action="store_true", help="1,000 images; writes no file")
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)  # the folder of the set, in a part
    arguments = parser.parse_args()
    if arguments.within:
        part, alone = arguments.parts[0], (arguments.within, arguments.images[0], arguments.workers[0])
        if arguments.parts == [CHILD]:
            decoded(arguments.within, arguments.images[0], "killed")
        else:
            print(json.dumps(measured(partial(OF[part], *alone))))
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for n in [1_000] if arguments.smoke else arguments.images:
            if set(arguments.parts) != {PROOF}:  # it has a folder of its own
                write_shards(Path(folder), n)
            for part in arguments.parts:
                if part == PROOF:
                    place = place_of_proof(arguments.folder or Path(folder), n)
                    rows += proof_rows(place, n, arguments.commands)
                    print(*rows[-2 * len(arguments.commands) :], sep="\n", flush=True)
                    continue
                for workers in arguments.workers if part in ON_WORKERS else [1]:
                    rows.append(row_of(part, n, workers, folder))
                    print(rows[-1], flush=True)
    if not arguments.smoke:
        write(rows)


def place_of_proof(folder: Path, n: int) -> Path:
    """The folder of a proof; in a folder of the user's it stays, so that a proof that is stopped goes on."""
    place = folder / f"proof-{n}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def row_of(part: str, n: int, workers: int, folder: str) -> dict[str, Any]:
    """One part in a process of its own."""
    command = [
        sys.executable, __file__, "--parts", part, "--within", folder, "--images", str(n), "--workers",
        str(workers),
    ]  # fmt: skip
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {"part": part, "images": n, "workers": workers} | json.loads(said.splitlines()[-1])


def write(rows: list[dict[str, Any]]) -> None:
    """Put these rows in the place of those of the same part, size and workers in results.csv."""
    path, frame = HERE / "results.csv", pl.DataFrame(rows, infer_schema_length=None)
    if path.exists():
        frame = pl.concat([pl.read_csv(path, infer_schema_length=None), frame], how="diagonal_relaxed")
    frame.unique(["part", "images", "workers"], keep="last", maintain_order=True).write_csv(path)


if __name__ == "__main__":
    main()
