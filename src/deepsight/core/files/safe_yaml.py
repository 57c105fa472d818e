"""YAML from untrusted files: of limited size, and without aliases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deepsight.core.files.atomic import digest_of

LARGEST = 2**20  # bytes; a study.yaml has about 1,000


class PlainLoader(yaml.SafeLoader):
    """The safe loader without aliases, since a few lines of them can expand to billions of values."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias (*name), which is not allowed")
        return super().compose_node(parent, index)


class PlainDumper(yaml.SafeDumper):
    """The safe dumper without aliases, so that `PlainLoader` can read its output."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_text(content: Mapping[str, Any]) -> str:
    """A mapping as YAML, in its order."""
    text = yaml.dump(dict(content), Dumper=PlainDumper, sort_keys=False, allow_unicode=True)
    return str(text)


SEAL = "# blake2b of the lines above: "


def sealed(text: str) -> str:
    """The text with its digest on a last line, so that the file can be checked by itself."""
    return f"{text}{SEAL}{digest_of(text.encode('utf-8'))}\n"


def require_seal(path: Path) -> None:
    """Refuse a file whose last line is not the digest of those above.

    Raises:
        OSError: it cannot be read.
        ValueError: the digest is absent or differs.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    text, seal, digest = content.rpartition(SEAL.encode("ascii"))
    if not seal or digest != f"{digest_of(text)}\n".encode("ascii"):
        raise ValueError("it is not what the run wrote")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        OSError: the file cannot be read.
        ValueError, yaml.YAMLError, RecursionError: it is too large, invalid, not a mapping, or nested too
            deeply.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    content = yaml.load(text, PlainLoader)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"it holds {type(content).__name__} where names and values were expected")
    return content
