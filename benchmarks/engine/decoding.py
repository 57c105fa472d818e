"""How fast JPEG files become stored pixels, beside the engine's rate on images that are stored already."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image
from turns import Row, in_turns, ratio_row, value_row

from deepsight.model.predict import Predictor
from deepsight.obtain import load_dataset

SHAPE = (375, 500)  # pixels, height and width
QUALITY = 90
CLASSES = ("even", "odd")


def write_photos(place: Path, n: int) -> None:
    """As many JPEG files in two class folders: coarse noise made smooth, with fine noise on it."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (place / name).mkdir()
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(SHAPE[::-1], Image.Resampling.BICUBIC), dtype=np.float32)
        noisy = (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(place / CLASSES[number % 2] / f"{number:05}.jpg", quality=QUALITY)


def decoded_anew(address: str) -> None:
    """Decode a folder whose pixels no cache holds yet."""
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, DEEPSIGHT_CACHE=cache):
        load_dataset(address)


def decoding_rows(predictor: Predictor, side: int, n: int, rounds: int) -> Iterator[Row]:
    """Images per second from files to stored pixels, from those to logits, and the ratio of their times."""
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), n)
        address = f"folder:{folder}?side={side}"
        pixels = load_dataset(address).split("all").pixels()
        seconds = in_turns(lambda: decoded_anew(address), lambda: predictor.logits(pixels), rounds=rounds)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.jpg")) / n / 1e3
    setting = f"{side} px, {n} JPEG files of {SHAPE[1]} × {SHAPE[0]}, {size:.0f} KB each"
    for name, column in (("files to stored pixels", 0), ("stored pixels to logits", 1)):
        yield value_row("decoding", setting, f"images per second, {name}", n / seconds[:, column], n * rounds)
    yield ratio_row("decoding", setting, "logits' time over decoding's", seconds, n * rounds)
