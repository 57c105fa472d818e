"""Hashes by imagehash and groups by cleanvision; runs in an environment of its own (README).

    python peers.py IMAGES.npy FOLDER

writes FOLDER/imagehash_<kind>.npy, bool (n, 64), and FOLDER/cleanvision_<kind>_<size>.npy, int (n,),
the number of the group of each image, -1 for none.
"""

import sys
from pathlib import Path

import imagehash
import numpy as np
from cleanvision import Imagelab
from PIL import Image

HASHES = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}
SETTINGS = (("phash", 8), ("whash", 8), ("whash", 4), ("phash", 4), ("dhash", 8), ("dhash", 4))


def write_hashes(images: list[Image.Image], folder: Path) -> None:
    for name, function in HASHES.items():
        np.save(
            folder / f"imagehash_{name}.npy", np.stack([function(image).hash.ravel() for image in images])
        )


def write_groups(images: list[Image.Image], folder: Path) -> None:
    stored = folder / "images"
    stored.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        image.save(stored / f"{number:06d}.png")
    default = Imagelab(data_path=str(stored))
    default.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=1, verbose=False)
    np.save(folder / "cleanvision_default.npy", groups(default, len(images)))
    for kind, size in SETTINGS:
        lab = Imagelab(data_path=str(stored))
        lab.find_issues({"near_duplicates": {"hash_type": kind, "hash_size": size}}, n_jobs=1, verbose=False)
        np.save(folder / f"cleanvision_{kind}_{size}.npy", groups(lab, len(images)))


def groups(lab: Imagelab, n: int) -> np.ndarray:
    found = np.full(n, -1)
    sets = [
        members
        for kind in ("near_duplicates", "exact_duplicates")
        for members in lab.info.get(kind, {}).get("sets", [])
    ]
    for number, members in enumerate(sets):
        found[[int(Path(member).stem) for member in members]] = number
    return found


if __name__ == "__main__":
    pixels, target = np.load(sys.argv[1]), Path(sys.argv[2])
    pictures = [Image.fromarray(image) for image in pixels]
    write_hashes(pictures, target)
    write_groups(pictures, target)
