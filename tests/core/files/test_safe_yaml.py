"""YAML of a stranger is read plainly or refused; it builds nothing and grows into nothing."""

from pathlib import Path

import pytest
import yaml

from deepsight.core.files.safe_yaml import LARGEST, read_yaml, yaml_text

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [BOMB, "- 1\n", "", "a: !!python/object/apply:os.system [ls]\n", "a: [", "1: 2\n", "\x00", "[" * 10_000,
     "a: " + "x" * LARGEST],
)  # fmt: skip
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises((ValueError, yaml.YAMLError, RecursionError)):
        read_yaml(tmp_path / "a.yaml")


def test_what_is_written_is_read_also_where_a_value_stands_twice(tmp_path: Path) -> None:
    twice = [1, 2]
    (tmp_path / "a.yaml").write_text(yaml_text({"b": twice, "a": twice, "c": "Größe"}))
    assert read_yaml(tmp_path / "a.yaml") == {"b": [1, 2], "a": [1, 2], "c": "Größe"}
