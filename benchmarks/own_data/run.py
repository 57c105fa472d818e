"""Does own data larger than memory stay bounded? Peak memory of decoding and of one epoch of batches.

    python benchmarks/own_data/run.py [--images 50000] [--mixed] [--smoke]

Makes a folder of random JPEGs in two class folders, of 64 x 64 pixels or (--mixed) of 40 to 400 each
way, obtains it in a process of its own with an empty cache and again with a full one, reads every row once
in shuffled batches of 256, and notes seconds and peak memory. The files are links to 1,000 distinct ones, so
that making them does not take the time.
"""

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, DISTINCT, BATCH = 64, 1_000, 256
MIXED = (40, 400)  # pixels

WORKER = """
import json, sys, time
from pathlib import Path
import numpy as np
from deepsight.obtain import load_dataset
# VmHWM starts anew with the program; ru_maxrss would start at the peak of the parent.
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
imported, start = peak(), time.perf_counter()
train = load_dataset("folder:" + sys.argv[1]).train
loaded, obtained = time.perf_counter(), peak()
order = np.random.default_rng(0).permutation(len(train))
batches = np.array_split(order, len(order) // int(sys.argv[2]))
total = sum(int(train.pixels(np.sort(rows)).sum()) for rows in batches)
print(json.dumps({"imported_mb": imported, "obtained_mb": obtained, "epoch_mb": peak(),
                  "obtain_s": loaded - start, "epoch_s": time.perf_counter() - loaded}))
"""


def make_folder(folder: Path, n: int, *, mixed: bool) -> None:
    """n JPEGs in two class folders, hard links to 1,000 distinct images, of one size or of many."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "distinct"):
        (folder / name).mkdir()
    for i in range(DISTINCT):
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        content = io.BytesIO()
        size = rng.integers(*MIXED, 2, endpoint=True).tolist() if mixed else (SIDE, SIDE)
        small.resize(size, Image.Resampling.BICUBIC).save(content, "JPEG")
        (folder / "distinct" / f"{i}.jpg").write_bytes(content.getvalue())
    for i in range(n):
        os.link(folder / "distinct" / f"{i % DISTINCT}.jpg", folder / "ab"[i % 2] / f"image {i:07}.jpg")
    (folder / "distinct").rename(folder.parent / "distinct")


def measure(folder: Path, cache: Path) -> dict[str, float]:
    """Seconds and peak memory of one process that obtains the folder and reads it once."""
    command = [sys.executable, "-c", WORKER, str(folder), str(BATCH)]
    environment = {**os.environ, "DEEPSIGHT_CACHE": str(cache)}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--mixed", action="store_true", help="pictures of 40 to 400 pixels each way")
    parser.add_argument("--smoke", action="store_true", help="600 images, nothing written")
    arguments = parser.parse_args()
    sizes = [600] if arguments.smoke else [arguments.images // 10, arguments.images]
    rows = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "images"
            folder.mkdir()
            make_folder(folder, n, mixed=arguments.mixed)
            for cache in ("empty", "full"):
                measured = measure(folder, Path(place) / "cache")
                rows.append({"images": n, "cache": cache, **{k: round(v, 2) for k, v in measured.items()}})
                print(rows[-1], flush=True)
    if not arguments.smoke:
        name = "mixed.csv" if arguments.mixed else "results.csv"
        with (Path(__file__).parent / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
