"""Pictures, archives and arrays with random mistakes in them."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import silent
from deepsight.obtain.cifar10.archives import read_archive
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable, decode_square
from deepsight.obtain.predictions.formats import read_given
from deepsight.obtain.readers.npz import load_npz
from deepsight.obtain.readers.tables.table_file import read_table_file
from deepsight.obtain.sources import SourceError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with one to eight mistakes: turned bits, other values, cuts, insertions, large numbers."""
    made = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        at = int(rng.integers(len(made))) if made else 0
        size = int(rng.integers(1, 33))
        kind = int(rng.integers(7))
        if kind == 0 and made:
            made[at] ^= 1 << int(rng.integers(8))
        elif kind == 1 and made:
            made[at] = int(rng.integers(256))
        elif kind == 2:
            del made[at : at + size]
        elif kind == 3:
            made[at:at] = made[at : at + size]
        elif kind == 4:
            made[at:at] = rng.bytes(size)
        elif kind == 5:
            made[at : at + 4] = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)][int(rng.integers(3))]
        elif rng.random() < 0.2:
            del made[at:]
    return bytes(made)


def picture(form: str, rng: np.random.Generator) -> bytes:
    """A small picture in a format, with the notes that cameras write."""
    side = int(rng.integers(8, 40))
    image = Image.fromarray(rng.integers(0, 256, (side, side + 3, 3), dtype=np.uint8))
    content = io.BytesIO()
    notes = Image.Exif()
    notes[0x0112] = int(rng.integers(1, 9))
    more = {"exif": notes.tobytes()} if form in ("JPEG", "PNG", "WEBP") else {}
    image.save(content, form, **more)
    return content.getvalue()


def mutated_picture(number: int) -> bytes:
    """The picture of this number, formats in turn."""
    rng = np.random.default_rng([1, number])
    return mutated(picture(FORMATS[number % len(FORMATS)], rng), rng)


def arrays(rng: np.random.Generator, *, compressed: bool = False) -> bytes:
    """A small data set as an .npz file."""
    content = io.BytesIO()
    labels = np.arange(30) % 3
    save = np.savez_compressed if compressed else np.savez
    save(
        content, images=rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), labels=labels,
        classes=np.array(["a", "b", "c"]),
    )  # fmt: skip
    return content.getvalue()


def predictions(rng: np.random.Generator) -> bytes:
    """Predictions for thirty images as an .npz file."""
    content = io.BytesIO()
    probabilities = rng.dirichlet(np.ones(3), 30)
    np.savez(content, probs=probabilities, labels=np.arange(30) % 3)
    return content.getvalue()


def tar_archive(rng: np.random.Generator) -> bytes:
    """A packed archive of two small files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as made:
        for name in ("a.bin", "b.bin"):
            about = tarfile.TarInfo(f"folder/{name}")
            about.size = 300
            made.addfile(about, io.BytesIO(rng.bytes(300)))
    return content.getvalue()


def table(rng: np.random.Generator, ending: str) -> bytes:
    """A table of images in a format."""
    frame = pl.DataFrame(
        {"path": [f"{i}.png" for i in range(30)], "label": [f"c{i % 3}" for i in range(30)],
         "weight": rng.random(30)}
    )  # fmt: skip
    content = io.BytesIO()
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending](content)
    return content.getvalue()


ARCHIVES: Mapping[str, Callable[[np.random.Generator], bytes]] = {
    "arrays.npz": arrays,
    "packed.npz": lambda rng: arrays(rng, compressed=True),
    "predictions.npz": predictions,
    "archive.tar.gz": tar_archive,
    "table.csv": lambda rng: table(rng, "csv"),
    "table.parquet": lambda rng: table(rng, "parquet"),
    "table.jsonl": lambda rng: table(rng, "jsonl"),
}


def mutated_archive(number: int) -> tuple[str, bytes]:
    """The name and the bytes of the archive of this number, kinds in turn."""
    name = list(ARCHIVES)[number % len(ARCHIVES)]
    rng = np.random.default_rng([2, number])
    return name, mutated(ARCHIVES[name](rng), rng)


def hostile_arrays(folder: Path) -> dict[str, Path]:
    """Archives of arrays that were made to harm, by what is wrong with them."""
    made = {**strange_files(), **strange_arrays()}
    paths = {}
    for number, (name, content) in enumerate(made.items()):
        paths[name] = folder / f"hostile{number}.npz"
        paths[name].write_bytes(content)
    return paths


def strange_files() -> dict[str, bytes]:
    """Files that are no whole archives of arrays, or promise what they do not hold."""
    few, pictures = npy(np.arange(3)), npy(np.zeros((3, 8, 8, 3), np.uint8))
    return {
        "an empty file": b"",
        "an empty archive": zip_of({}),
        "declared terabytes": zip_of({"images.npy": header((2**20, 2**10, 2**10, 3)), "labels.npy": few}),
        "declared overflow": zip_of({"images.npy": header((2**62, 2**62, 3, 3)), "labels.npy": few}),
        "terabytes of labels": zip_of({"images.npy": pictures, "labels.npy": header((2**42,), "<i8")}),
        "negative shape": zip_of({"images.npy": header((-3, 8, 8, 3)), "labels.npy": few}),
        "no headers": zip_of({"images.npy": b"\x93NUMPY", "labels.npy": b""}),
        "another version": zip_of({"images.npy": b"\x93NUMPY\x07\x00" + bytes(60), "labels.npy": few}),
        "encrypted": encrypted(npz_of(images=np.zeros((6, 8, 8, 3), np.uint8), labels=np.arange(6) % 2)),
        "a picture": picture("PNG", np.random.default_rng(0)),
    }


def strange_arrays() -> dict[str, bytes]:
    """Archives of arrays that are whole and make no data set."""
    images = np.zeros((6, 8, 8, 3), np.uint8)
    return {
        "Python objects": npz_of(images=np.array([{}, []], dtype=object), labels=np.arange(2)),
        "no numbers at all": npz_of(images=images[:0], labels=np.zeros(0, int)),
        "NaN": npz_of(images=np.full((6, 8, 8, 3), np.nan), labels=np.arange(6) % 2),
        "NaN labels": npz_of(images=images, labels=np.full(6, np.nan)),
        "huge labels": npz_of(images=images, labels=np.full(6, 2**62)),
        "unsigned labels": npz_of(images=images, labels=np.full(6, 2**64 - 1, np.uint64)),
        "dates": npz_of(images=images, labels=np.full(6, "2020", "M8[D]")),
        "one class": npz_of(images=images, labels=np.zeros(6, int)),
    }


def npz_of(**arrays: np.ndarray) -> bytes:
    """These arrays as an .npz file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def npy(array: np.ndarray) -> bytes:
    """An array as an .npy file."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def header(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    """The head of an .npy file that promises this shape, and a few bytes."""
    content = io.BytesIO()
    about = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, about)
    return content.getvalue() + bytes(64)


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """These files in a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


def encrypted(archive: bytes) -> bytes:
    """The archive with the mark of encryption on each file."""
    made = bytearray(archive)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.find(sign)
        while at >= 0:
            made[at + offset] |= 1
            at = made.find(sign, at + 4)
    return bytes(made)


def outcome_of_picture(number: int) -> tuple[str, str]:
    """What decoding makes of a mutated picture: "refused", "same" (pixels), or "crashed"."""
    try:
        pixels = decode_square(mutated_picture(number), side=16)
    except Unreadable:
        return "refused", ""
    except BaseException as error:
        return "crashed", f"{type(error).__name__}: {error}"
    whole = pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    return ("same", "") if whole else ("wrong", f"{pixels.dtype} {pixels.shape}")


def outcome_of_archive(number: int, folder: Path) -> tuple[str, str]:
    """What reading makes of a mutated archive, table or file of arrays."""
    name, content = mutated_archive(number)
    path = folder / name
    path.write_bytes(content)
    return outcome_of_reading(path)


def outcome_of_reading(path: Path) -> tuple[str, str]:
    """What reading makes of a file by what its name says that it is."""
    try:
        read_by_name(path)
    except (DeepSightError, SourceError):
        return "refused", ""
    except BaseException as error:
        return "crashed", f"{type(error).__name__}: {error}"
    return "same", ""


def read_by_name(path: Path) -> None:
    """Read a file as DeepSight would."""
    if path.name.endswith(".tar.gz"):
        read_archive(path, ["a.bin", "b.bin"])
    elif path.name.startswith("predictions"):
        read_given(path, ("a", "b", "c"))
    elif path.suffix == ".npz":
        load_npz(DataAddress("arrays", str(path), {}), log=silent)
    else:
        read_table_file(path)


HOSTILE_JSON = ("", "{", "null", "[]", "3", '"x"', "{}", "NaN", "1e999", "[" * 3000, '{"a": ' * 3000)
HOSTILE_VALUES = (None, [], {}, "x", -1, 0, 2**64, 1e308, float("nan"), float("inf"), True, [[]], "\x1b[2J=1")


def with_value(content: bytes, key: str, value: object) -> bytes:
    """A JSON object with another value under a key."""
    return json.dumps({**json.loads(content), key: value}).encode()
