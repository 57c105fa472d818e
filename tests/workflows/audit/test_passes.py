"""The passes of an audit: the same for all splits together, kept until the audit is written."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.progress import silent
from deepsight.interpret.labels import label_sources as module_of_sources
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.workflows.audit import passes as module
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.audit.neighbourhoods import label_sources
from deepsight.workflows.audit.passes import AuditPasses
from deepsight.workflows.passes import image_passes
from photos import photos


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "passes"


@pytest.fixture
def data() -> AuditedData:
    images, labels = photos(60)
    classes = ("first", "second")
    parts = {
        name: Dataset(images[rows], labels[rows], classes, np.arange(len(labels[rows])), name)
        for name, rows in {"train": slice(0, 40), "test": slice(40, 60)}.items()
    }
    return AuditedData(parts, True, {"data": "made"})


def passes_of(data: AuditedData) -> AuditPasses:
    return AuditPasses.of(data, StudyConfig(), "local", silent)


def test_measures_cover_all_splits_in_order(data, monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)
    (low, high), properties = passes_of(data).measures(data)
    parts = [measured_properties(part.images) for part in data.parts.values()]
    assert properties.equals(pl.concat(parts))
    assert (low <= high).all()
    assert len(low) == 60


def test_features_lie_on_disk_until_the_audit_is_written(data, monkeypatch, cache) -> None:
    class Frozen:
        def __init__(self, pretrained) -> None:
            pass

        def features(self, pixels, recipe):
            return pixels.mean(axis=(1, 2)).astype(np.float32)

    monkeypatch.setattr(module, "BLOCK", 16)
    monkeypatch.setattr(image_passes, "FrozenBackbone", Frozen)
    for place in (module, image_passes):
        monkeypatch.setattr(place, "load_pretrained", lambda **_: type("Pretrained", (), {"side": None}))
    passes = passes_of(data)
    features = passes.features(data, StudyConfig())
    assert isinstance(features, np.memmap)
    whole = np.concatenate([part.pixels().mean(axis=(1, 2)) for part in data.parts.values()])
    np.testing.assert_array_equal(features, whole.astype(np.float32))
    assert any(cache.iterdir())
    passes.forget()
    assert not any(cache.iterdir())


def test_labels_of_a_sample_keep_their_split_and_row(data, monkeypatch) -> None:
    monkeypatch.setattr(module_of_sources, "MOST_CELLS", 80)  # 40 images of two classes
    rng, said = np.random.default_rng(0), []
    features = rng.normal(size=(60, 5)) + 3 * data.labels[:, None]
    found = label_sources(data, features, seed=0, log=said.append)
    assert sum(len(part.ids) for part in found.values()) == 40
    assert "40 of 60 images" in said[0]
    for name, part in found.items():
        np.testing.assert_array_equal(part.labels, data.parts[name].labels[part.ids])
        right = part.distributions["head"].argmax(axis=1) == part.labels
        assert right.mean() > 0.9
