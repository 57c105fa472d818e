"""While freed memory is kept, the same array costs no new pages; afterwards it is given back."""

import subprocess
import sys
import textwrap

import pytest

from deepsight.model.hardware.allocator import freed_memory_kept, glibc

SCRIPT = """
    import resource
    import numpy as np
    from deepsight.core.environment import rss_mb
    from deepsight.model.hardware.allocator import freed_memory_kept

    def new_pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            np.ones(64 * 1024**2, dtype=np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    outside = new_pages()
    before = rss_mb()
    with freed_memory_kept():
        np.ones(64 * 1024**2, dtype=np.uint8)
        inside, held = new_pages(), rss_mb()
    print(outside, inside, held - before, rss_mb() - before, new_pages())
"""


@pytest.mark.slow
@pytest.mark.skipif(glibc() is None, reason="only glibc is told what to keep")
def test_arrays_are_mapped_once_inside_and_each_time_outside():
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    outside, inside, held, left, after = map(float, printed.split())
    assert inside < outside / 20
    assert held > 60
    assert left < 10
    assert after > outside / 2


def test_an_error_inside_comes_out():
    with pytest.raises(ValueError, match="as it is"), freed_memory_kept():
        raise ValueError("as it is")
