"""What an audit takes for its data: names, paths, and paths with a question mark."""

from pathlib import Path

import pytest

from deepsight.core.errors import UsageError
from deepsight.workflows.audit.audited_data import data_name, plain_folder
from deepsight.workflows.cleaned_data import base_folder


def test_a_question_mark_is_part_of_the_path_unless_an_option_follows(tmp_path: Path) -> None:
    assert plain_folder(f"folder:{tmp_path}/who?") == tmp_path.resolve() / "who?"
    assert plain_folder(f"folder:{tmp_path}/who?side=32") == tmp_path.resolve() / "who"
    assert base_folder(f"table:{tmp_path}/who?/labels.csv?label=x") == tmp_path.resolve() / "who?"
    assert plain_folder("cifar10") is None
    assert base_folder("hf:name?config=x") is None


@pytest.mark.parametrize(("name", "said"), [("a.zip", "Unpack it"), ("a.h5", "does not read HDF5")])
def test_a_file_that_no_audit_reads_is_refused_with_what_to_do(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=said):
        data_name(str(tmp_path / name))
