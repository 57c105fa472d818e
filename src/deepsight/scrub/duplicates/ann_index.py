"""Approximate nearest neighbours among very many images, by an inverted file."""

import importlib.util

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.scrub.duplicates.descriptor import Descriptor, row_blocks

CELLS_BY_ROOT = 4  # cells per √n, so that selecting cells takes about as long as searching them
PROBES = 32  # cells that are searched
FIT_ON = 50  # rows per cell that the cells' centres are fitted on
BLOCK = 16_384  # rows per query


def available() -> bool:
    """Whether the library that the index needs is installed (the extra `large`)."""
    return importlib.util.find_spec("faiss") is not None


class Index:
    """An inverted file over descriptors (Sivic & Zisserman 2003; the library is faiss).

    The rows are assigned to cells around k-means centres; a row is compared only with those in the nearest
    cells. Mirrored images are found by a second query with the sign of the odd part changed.

    Args:
        described: of all images.
        seed: of the sample that the centres are fitted on.
    """

    def __init__(self, described: Descriptor, *, seed: int) -> None:
        import faiss

        self._even_length = described.even.shape[1]
        self._vectors = torch.cat([described.even, described.odd], dim=1).numpy()
        self._mirrors = bool(described.odd.any())
        n, d = self._vectors.shape
        cells = max(1, min(round(CELLS_BY_ROOT * n**0.5), n // FIT_ON))
        faiss.omp_set_num_threads(torch.get_num_threads())
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, cells, faiss.METRIC_INNER_PRODUCT)
        self._index.nprobe = min(PROBES, cells)
        self._index.cp.seed = seed
        sample = np.random.default_rng(seed).permutation(n)[: FIT_ON * cells]
        self._index.train(self._vectors[np.sort(sample)])
        for rows in row_blocks(n, BLOCK):
            self._index.add(self._vectors[rows])

    def nearest_to(self, rows: NDArray[np.int64], *, count: int) -> tuple[Tensor, Tensor]:
        """Similarities and rows of the nearest neighbours found, (r, count) each; -inf where there are fewer.

        A row that is near both directly and mirrored appears twice.
        """
        asked = self._vectors[rows]
        found = [self._index.search(asked, count + 1)]  # the row itself is among them
        if self._mirrors:
            turned = asked.copy()
            turned[:, self._even_length :] *= -1
            found.append(self._index.search(turned, count + 1))
        similarity, place = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
        similarity[(place == rows[:, None]) | (place < 0)] = -np.inf
        best, order = torch.from_numpy(similarity).topk(count, dim=1)
        return best, torch.from_numpy(place).gather(1, order)
