"""The name of a data set on the command line: `cifar10`, or `SCHEME:PLACE?option=value&option=value`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from deepsight.core.errors import UsageError, near_names
from deepsight.obtain.decoding.crop import FITS, Fit
from deepsight.obtain.local_file import is_there, user_path
from deepsight.obtain.other_layouts import CONVERT, PACKED, container_name

SIDES = range(8, 513)
ENDINGS: Mapping[str, Sequence[str]] = {
    "arrays": (".npz",), "webdataset": (".tar",), "table": (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"),
}  # fmt: skip
TEST_SHARE = 0.2


@dataclass(frozen=True)
class DataAddress:
    """The address of the user's own data.

    Attributes:
        scheme: "folder", "table", "hf", "arrays", "keras", "webdataset" or "parquet".
        place: the path or name after the colon.
        options: the options after the question mark.
        test_share: share of the images held out where there is no test part, in (0, 1).

    Raises:
        UsageError: `test_share` is out of its range.
    """

    scheme: str
    place: str
    options: Mapping[str, str]
    test_share: float = TEST_SHARE

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise UsageError(f"Expected test_share between 0 and 1, received {self.test_share}.")

    @property
    def side(self) -> int | None:
        """The shorter side of the stored images in pixels, by the option `side`; None without it.

        Raises:
            UsageError: it is not a whole number from 8 to 512.
        """
        if (given := self.options.get("side")) is None:
            return None
        if not given.isdecimal() or int(given) not in SIDES:
            raise UsageError(f"Expected side as a whole number of pixels from 8 to 512, received '{given}'.")
        return int(given)

    @property
    def fit(self) -> Fit:
        """How pictures are fitted to the stored shape, by the option `fit`; "crop" without it.

        Raises:
            UsageError: the option is unknown.
        """
        given = self.options.get("fit", "crop")
        if given not in FITS:
            raise UsageError(
                f"Expected fit as {', '.join(FITS)}, received '{given}'; {near_names(given, [*FITS])}"
            )
        return given

    def with_fit(self, fit: Fit | None, known: Mapping[str, Sequence[str]]) -> "DataAddress":
        """The address with this fit, unless it has one or `fit` is None.

        Args:
            fit: the fit.
            known: the options of each scheme.

        Raises:
            UsageError: images of this scheme keep their size.
        """
        if fit is None or "fit" in self.options:
            return self
        if "fit" not in known[self.scheme]:
            raise UsageError(f"Expected no --fit for {self.scheme}: data, whose images keep their size.")
        return replace(self, options={**self.options, "fit": fit})


def parse_address(name: str, known: Mapping[str, Sequence[str]]) -> DataAddress:
    """The address that a name stands for.

    Args:
        name: `SCHEME:PLACE?option=value&option=value`. A question mark without an option after it, or in
            a path that exists, is part of the place.
        known: the options of each scheme.

    Raises:
        UsageError: the scheme is unknown, the place is empty, or an option is unknown or empty.
    """
    scheme, colon, rest = name.partition(":")
    if not colon or scheme not in known:
        offered = meant_address(name) or near_names(name if not colon else scheme, ["cifar10", *known])
        raise UsageError(
            f"Expected --data cifar10 or {', '.join(f'{s}:…' for s in known)}, received '{name}'; {offered}"
        )
    place, mark, query = rest.rpartition("?")
    if not mark or "=" not in query or is_there(user_path(rest)):
        place, query = rest, ""
    if not place:
        raise UsageError(f"Expected a path or a name after '{scheme}:', received none.")
    return DataAddress(scheme, place, parse_options(query, known[scheme]))


def meant_address(name: str) -> str:
    """The end of a sentence that suggests a scheme for an existing path; empty if nothing exists there."""
    path = user_path(name.partition("?")[0])
    if path.is_dir():
        return f"that is a folder: --data folder:{name}"
    if not path.is_file():
        return ""
    if path.suffix.lower() in PACKED:
        return "unpack it, and name the folder: --data folder:PATH"
    scheme = next((scheme for scheme, endings in ENDINGS.items() if path.suffix.lower() in endings), None)
    if scheme:
        return f"that is a file: --data {scheme}:{name}"
    what = container_name(path.name)
    return f"DeepSight does not read {what}. {CONVERT}" if what else ""


def parse_options(query: str, known: Sequence[str]) -> dict[str, str]:
    """The options of a query.

    Raises:
        UsageError: an option is unknown or has no value.
    """
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option, value in options.items():
        if option not in known:
            raise UsageError(
                f"Expected an option of the data, received '{option}'; {near_names(option, [*known])}"
            )
        if not value:
            raise UsageError(f"Expected a value for the option '{option}', received none.")
    return options
