"""Local files: reading them within limits, and finding them by the names that people write."""

import stat
import unicodedata
from pathlib import Path

from deepsight.core.errors import UsageError
from deepsight.obtain.decoding.crop import Unreadable

MOST_FILE_BYTES = 2**28
# The suffixes of torchvision's ImageFolder, which people make predictions with.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
MORE_IMAGE_SUFFIXES = (".gif", ".avif", ".jp2", ".heic", ".jxl", ".ico", ".tga")


def read_local_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        Unreadable: it is a device or a pipe, which could block forever, or it is too large.
        OSError: the system refuses.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable("not a regular file")
    if about.st_size > MOST_FILE_BYTES:
        raise Unreadable(f"{about.st_size} bytes, more than {MOST_FILE_BYTES}")
    return path.read_bytes()


def normal_path(name: str) -> str:
    """A path with forward slashes, without a leading `./`, and with accents in Unicode's form NFC."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))


def found_path(base: Path, name: str) -> Path:
    """The file that a table refers to.

    It is the path as written if it exists, else one with other slashes, accents in another Unicode form, or a
    suffix that the table leaves out.
    """
    exact = base / (user_path(name) if name.startswith(("~/", "~\\")) else name)
    if is_there(exact):
        return exact
    plain = normal_path(name)
    spellings = [plain, unicodedata.normalize("NFD", plain)]
    if not is_picture(plain):
        spellings += [plain + ending for suffix in IMAGE_SUFFIXES for ending in (suffix, suffix.upper())]
    return next((path for path in (base / spelling for spelling in spellings) if is_there(path)), exact)


def is_there(path: Path) -> bool:
    """Whether a path exists; false for a path that the system does not allow."""
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def user_path(text: str | Path) -> Path:
    """A path in which ~ stands for the home folder.

    Raises:
        UsageError: the home folder is unknown.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"Expected a home folder for '{text}', but none is known. Set HOME; for the cache, set "
            "DEEPSIGHT_CACHE to a full path."
        ) from error


def is_picture(name: str) -> bool:
    """Whether a name has the suffix of a picture."""
    return name.lower().endswith(IMAGE_SUFFIXES + MORE_IMAGE_SUFFIXES)
