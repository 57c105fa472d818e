"""Where blocks are kept: by all that they depend on, and not for ever."""

import os
import time

from deepsight.workflows.passes.block_work import DAYS_KEPT, kept_folder


def test_other_marks_have_another_folder_and_forgotten_ones_are_removed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path))
    one, other = kept_folder("model", 1), kept_folder("model", 2)
    assert one != other
    assert one == kept_folder("model", 1)
    for folder in (one, other):
        folder.mkdir(parents=True)
        (folder / "block_0.npz").write_bytes(b"content")
    long_ago = time.time() - (DAYS_KEPT + 1) * 86_400
    os.utime(other, (long_ago, long_ago))
    kept_folder("model", 3)
    assert one.is_dir()
    assert not other.exists()
