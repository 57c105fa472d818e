"""The probe against scikit-learn, the spectrum against its definition, and planted winners and losers."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import Ridge

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.statistics.intervals import macro_f1
from deepsight.images.resize import resize
from deepsight.scrub.interpolation import (
    RIDGE,
    compare_interpolations,
    detail_kept,
    leave_one_out_classes,
    radial_power,
)

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (240, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(240) % 3


class Frozen:
    """Vectors of class k plus noise, with less noise for the favoured method; counts its calls."""

    def __init__(self, favoured: str = "", noise: float = 2.0) -> None:
        self.favoured, self.noise = favoured, noise
        self.calls: list[tuple[str, bool, int]] = []

    def __call__(self, images, method, antialias, resolution):
        self.calls.append((method, antialias, resolution))
        noise = 0.1 if method == self.favoured else self.noise
        drawn = np.random.default_rng(11).normal(size=(len(images), 3))
        return np.eye(3)[LABELS[: len(images)]] + noise * drawn


def run(frozen, *, resolution=16, labels=LABELS, **changes):
    table = compare_interpolations(
        IMAGES, labels, resolution=resolution, features=frozen, k=3, seed=0, **changes
    )
    Evidence().add(interpolation=table)
    return table


def chosen(table):
    return table.frame.filter("chosen").select("method", "antialias").rows()


def test_bicubic_stays_when_nothing_is_better():
    table = run(Frozen())
    assert chosen(table) == [("bicubic", True)]
    assert table.frame["delta"].abs().max() == 0
    assert "no other setting is shown to be better" in table.caption


def test_a_planted_winner_is_chosen_and_a_planted_loser_is_not():
    table = run(Frozen("lanczos"))
    assert chosen(table) == [("lanczos", True)]
    assert table.frame.filter("chosen")["delta_ci_low"][0] > 0
    assert chosen(run(Frozen("bicubic"))) == [("bicubic", True)]


def test_an_advantage_within_noise_does_not_displace_bicubic():
    class Nudged(Frozen):
        def __call__(self, images, method, antialias, resolution):
            made = super().__call__(images, method, antialias, resolution)
            if method == "bilinear":
                made[LABELS[: len(images)] == 0, 0] += 0.05
            return made

    table = run(Nudged())
    bilinear = table.frame.filter(pl.col("method") == "bilinear")
    assert bilinear["delta_ci_low"][0] <= 0
    assert chosen(table) == [("bicubic", True)]


@pytest.mark.slow
def test_antialiasing_is_computed_once_when_enlarging_and_apart_when_reducing():
    frozen = Frozen()
    table = run(frozen)
    assert [call[0] for call in frozen.calls] == ["bicubic", "nearest", "bilinear", "lanczos"]
    assert table.frame.filter(~pl.col("antialias"))["same_as"].to_list() == [
        f"{method}, antialias true" for method in ("bicubic", "nearest", "bilinear", "lanczos")
    ]
    frozen = Frozen()
    assert set(run(frozen, resolution=3).frame["same_as"]) == {""}
    assert len(set(frozen.calls)) == 8
    frozen = Frozen()
    run(frozen, resolution=8)
    assert frozen.calls == [("bicubic", True, 8)]


def test_sample_and_seed_matter_and_the_same_seed_repeats():
    table = run(Frozen(), sample=90)
    assert table.n == 90
    assert table.frame.equals(run(Frozen(), sample=90).frame)
    assert run(Frozen()).n == 240


def test_probe_is_the_refit_without_each_image():
    labels = LABELS[:60]
    features = Frozen(noise=0.8)(IMAGES[:60], "bicubic", True, 16).astype(np.float32)
    centred = features - features.mean(axis=0)
    length = np.square(centred).sum(axis=1).mean()
    x = np.hstack([centred, np.full((60, 1), np.sqrt(10 * length))])
    expected = []
    for i in range(60):
        others = np.arange(60) != i
        ridge = Ridge(alpha=RIDGE * length, fit_intercept=False)
        ridge.fit(x[others], np.eye(3)[labels[others]])
        expected.append(ridge.predict(x[i : i + 1])[0].argmax())
    np.testing.assert_array_equal(leave_one_out_classes(features, labels, 3), expected)
    assert 0.4 < macro_f1(labels, np.array(expected), 3) < 1


def test_probe_at_chance_on_noise():
    guess = leave_one_out_classes(RNG.normal(size=(240, 100)), LABELS, 3)
    assert 0.2 < macro_f1(LABELS, guess, 3) < 0.47


@pytest.mark.parametrize("wrong", [np.zeros(240), np.zeros((239, 4)), np.full((240, 4), np.nan)])
def test_features_of_the_wrong_form_are_refused(wrong):
    with pytest.raises(DeepSightError, match=r"finite features \(240, d\)"):
        leave_one_out_classes(wrong, LABELS, 3)


def test_a_wave_lies_in_the_bin_of_its_frequency():
    column = torch.arange(32) * 2 * torch.pi / 32
    for cycles in (4, 11, 15):
        power = radial_power(torch.cos(cycles * column).expand(1, 1, 32, 32))
        assert power.argmax() == cycles
        assert power[cycles - 1 : cycles + 2].sum() == pytest.approx(power.sum(), rel=0.02)


def test_detail_kept_by_a_round_trip(cifar10):
    train: Dataset = cifar10[0]
    pixels = train.pixels(np.arange(40))
    kept = {
        m: detail_kept(pixels, 64, method=m, antialias=True)
        for m in ("nearest", "bilinear", "bicubic", "lanczos")
    }
    assert kept["nearest"] == pytest.approx(1)
    assert kept["bilinear"] < kept["bicubic"] < kept["lanczos"] < 1
    assert detail_kept(pixels, 32, method="bicubic", antialias=True) == pytest.approx(1)
    assert detail_kept(pixels, 12, method="lanczos", antialias=True) < 0.1
    assert detail_kept(pixels, 64, method="bicubic", antialias=False) != pytest.approx(
        kept["bicubic"], abs=1e-3
    )


def test_detail_kept_is_the_coherent_share_by_hand():
    pixels = IMAGES[:5]
    grey = torch.as_tensor(pixels).float().mean(dim=3)[:, None]
    back = resize(resize(grey, 16, method="bilinear"), 8, method="bilinear")
    powers = []
    for images in (grey, back - grey):
        spectrum = np.zeros(5)
        for image in images[:, 0].double().numpy():
            window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
            transform = np.fft.fft2((image - image.mean()) * np.outer(window, window))
            for u in range(-4, 4):
                for v in range(-4, 4):
                    if (r := round(np.hypot(u, v))) <= 4:
                        spectrum[r] += abs(transform[u, v]) ** 2
        powers.append(spectrum)
    by_hand = np.clip(1 - powers[1] / np.maximum(powers[0], 1e-9), 0, 1)[3:].mean()
    assert detail_kept(pixels, 16, method="bilinear", antialias=True) == pytest.approx(by_hand, abs=1e-5)


def test_images_are_not_mutated():
    before = IMAGES.copy()
    run(Frozen())
    np.testing.assert_array_equal(IMAGES, before)
