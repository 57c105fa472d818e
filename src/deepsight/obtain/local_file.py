"""The bytes of a file on this machine, and the names by which files are found again."""

import stat
import unicodedata
from pathlib import Path

from deepsight.core.errors import UsageError
from deepsight.obtain.decoding.crop import Unreadable

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


def normal_path(name: str) -> str:
    """A path with forward slashes, without `./` in front, and with one spelling for each accent."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))


def found_path(base: Path, name: str) -> Path:
    """The file that a table means: as written, else with other slashes, another spelling of accents, or the
    ending of a picture where the table leaves endings away.
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
    """Whether something lies at a path; a path that no system allows leads nowhere."""
    try:
        return path.exists()
    except OSError:  # such as a name of a thousand letters
        return False


def user_path(text: str | Path) -> Path:
    """The path of a text in which ~ stands for the home folder.

    Raises:
        UsageError: the system knows no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"Expected a home folder for '{text}', but the system knows none. Set HOME; for the cache, "
            "DEEPSIGHT_CACHE names a folder in full."
        ) from error


def is_picture(name: str) -> bool:
    """Whether a name ends as those of pictures do."""
    return name.lower().endswith(IMAGE_SUFFIXES + MORE_IMAGE_SUFFIXES)
