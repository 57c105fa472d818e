"""The bytes of a file on this machine, and the names by which files are found again."""

import stat
from pathlib import Path

from deepsight.obtain.crop import Unreadable

MOST_FILE_BYTES = 2**28
# The endings that torchvision's ImageFolder lists: what people made predictions for.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
MORE_IMAGE_SUFFIXES = (".gif", ".avif", ".jp2", ".heic", ".jxl", ".ico", ".tga")


def read_local_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        Unreadable: it is a device or a pipe, which would wait without end, or it is huge.
        OSError: the system refuses.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable("not a regular file")
    if about.st_size > MOST_FILE_BYTES:
        raise Unreadable(f"{about.st_size} bytes, more than {MOST_FILE_BYTES}")
    return path.read_bytes()


def is_picture(name: str) -> bool:
    """Whether a name ends as those of pictures do."""
    return name.lower().endswith(IMAGE_SUFFIXES + MORE_IMAGE_SUFFIXES)
