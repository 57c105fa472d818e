"""Pictures of the run folder as data URIs, up to a limit on the size of the report."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.run import PICTURES

MEDIA = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
BUDGET = 13_500_000  # characters of pictures and packed tables; the rest takes about 1 MB of the 15 allowed


@dataclass
class Pictures:
    """Reads pictures of a run, each once, until the budget is used up.

    Attributes:
        folder: the run folder; files outside it are never read.
        budget: characters left for the data URIs of more pictures.
        addresses: the data URI of each picture so far by its path in the run folder.
        left_out: pictures that did not fit.
    """

    folder: Path
    budget: int = BUDGET
    addresses: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def take(self, name: str | None) -> str | None:
        """The name itself if the picture can be shown, else None; the page looks it up in `addresses`."""
        if not name:
            return None
        if name not in self.addresses and name not in self.left_out:
            self.read(name)
        return name if name in self.addresses else None

    def sheet(self, table: str) -> str | None:
        """The name of the contact sheet of this table, if it can be shown."""
        names = (f"{PICTURES}/{table}{suffix}" for suffix in (".webp", ".png"))
        return next((name for name in names if self.take(name)), None)

    def read(self, name: str) -> None:
        """Add a picture, or note that it did not fit."""
        path = (self.folder / name).resolve()
        media = MEDIA.get(path.suffix.lower())
        if media is None or not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            return
        found = data_address(path.read_bytes(), media)
        if len(found) > self.budget:
            self.left_out.append(name)
        else:
            self.budget -= len(found)
            self.addresses[name] = found


def data_address(content: bytes, media: str) -> str:
    """The bytes of a picture as a data URI."""
    return f"data:{media};base64,{base64.b64encode(content).decode('ascii')}"


def png_address(pixels: NDArray[np.uint8]) -> str:
    """RGB pixels, uint8 (h, w, 3), as the data URI of a PNG picture."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return data_address(encoded.tobytes(), "image/png")
