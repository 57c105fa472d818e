"""Each lever on made-up images and answers: it does what it says, and its placebo does nothing."""

import cv2
import numpy as np
import pytest

from deepsight.core.array_types import Pixels, Reals
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.levers.background import same_class_design, try_background
from deepsight.interpret.levers.background_training import judge_backgrounds, swap_backgrounds
from deepsight.interpret.levers.decision_rule import fit_class_bias, try_class_bias, try_temperature
from deepsight.interpret.levers.fragility import JITTERS, try_fragility
from deepsight.interpret.levers.image_quality import REPAIRS, best_repair, restoring_repair, try_repair
from deepsight.interpret.levers.more_data.class_gains import class_gains_table
from deepsight.interpret.levers.more_data.data_amount import (
    EXPONENT,
    growth_factor,
    judge_unused,
    part_retrainings,
    stratified_share,
    try_more_data,
    unused_retrainings,
)
from deepsight.interpret.levers.more_data.neighbourhood_gains import neighbourhood_gains_table
from deepsight.interpret.levers.net_effect import net_effect
from deepsight.interpret.levers.outcome import ExaminedImages
from deepsight.interpret.levers.placebo import (
    copied_rows,
    judge_placebo,
    repeated_and_averaged,
    shuffled_file,
    try_resize,
)
from deepsight.interpret.levers.recipe_changes import (
    RecipeChange,
    judge_change,
    length_change,
    resolution_changes,
)
from deepsight.interpret.levers.tools import Retraining
from deepsight.interpret.levers.variance import (
    bootstrap_retrainings,
    ensembles_table,
    gain_of_members,
    same_wrong_class,
    times_the_errors,
    try_variance,
)

M, K = 240, 3


def left_or_right(pixels: Pixels) -> Reals:
    """Class 0 where the left half is brighter, class 1 where the right half is."""
    half = pixels.shape[2] // 2
    lean = pixels[:, :, :half].mean(axis=(1, 2, 3)) - pixels[:, :, half:].mean(axis=(1, 2, 3))
    return np.stack([lean, -lean, np.full(len(lean), -99.0)], axis=1) / 10


def made_images(seed: int = 0, n: int = M) -> tuple[Pixels, np.ndarray]:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
    return pixels, rng.integers(2, size=n)


@pytest.fixture
def seen() -> tuple[ExaminedImages, Pixels]:
    pixels, labels = made_images()
    logits = left_or_right(pixels)
    return ExaminedImages(np.arange(M), labels, logits, np.ones(M), M), pixels


def noisy_logits(labels: np.ndarray, seed: int, signal: float = 1.0) -> Reals:
    rng = np.random.default_rng(seed)
    return signal * np.eye(K)[labels] + rng.normal(0, 0.7, (len(labels), K))


def test_averaging_noisy_trainings_helps_and_says_which_images(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    logits = np.stack([noisy_logits(examined.labels, s) for s in range(4)])
    found = try_variance(examined, logits)
    assert net_effect(found).net > 0.1
    assert set(found.evidence) <= {
        "the same wrong class in all 4 retrainings",
        *(f"right in {n} of 4 retrainings" for n in range(5)),
    }
    ensembles = ensembles_table(examined, logits, 1.0).frame
    assert ensembles["trainings"].to_list() == [2, 3, 4]
    assert ensembles["points"][2] > ensembles["points"][0] > 0
    sure = np.flatnonzero(examined.wrong & (examined.right(logits).sum(axis=0) == 4))
    assert (found.strengths[sure] == 1).all()
    assert gain_of_members(examined, logits, 4) > gain_of_members(examined, logits, 2) > 0


def test_equal_trainings_gain_nothing(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    found = net_effect(try_variance(examined, np.stack([examined.logits] * 3)))
    assert found.net == 0
    assert same_wrong_class(examined.labels, np.stack([examined.logits] * 3)).sum() == examined.wrong.sum()


def test_retrainings_that_broke_the_model_are_told_from_others(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    alike = try_variance(examined, np.stack([examined.logits] * 3))
    assert times_the_errors(alike) == pytest.approx(1)
    broken = try_variance(examined, np.stack([np.eye(K)[np.full(M, 2)]] * 3))  # a class that no image has
    assert times_the_errors(broken) == pytest.approx(M / examined.errors)


def test_bootstrap_samples_differ_and_repeat_under_a_seed() -> None:
    first, second = bootstrap_retrainings(50, 2, seed=3, size=50)
    assert not np.array_equal(first.rows, second.rows)
    assert len(np.unique(first.rows)) < 50
    assert np.array_equal(bootstrap_retrainings(50, 2, seed=3, size=50)[1].rows, second.rows)


@pytest.mark.parametrize("exponent", [0.3, EXPONENT, 0.7])
def test_more_data_follows_a_learning_curve(exponent: float) -> None:
    """Errors planted on floor + scale · rows^-b: the gain from twice the rows must come back."""
    n = 20_000

    def error(rows: float) -> float:
        return 0.05 + 0.1 * (rows / 1000) ** -exponent

    labels = np.zeros(n, dtype=np.int64)

    def logits(share_wrong: float, seed: int) -> Reals:
        wrong = np.random.default_rng(seed).random(n) < share_wrong
        return np.stack([~wrong, wrong], axis=1).astype(float)

    examined = ExaminedImages(np.arange(n), labels, logits(error(1000), 0), np.ones(n), n)
    found = try_more_data(examined, [logits(error(500), 1)], share=0.5, rows=1000)
    effect = net_effect(found)
    true = error(1000) - error(2000)
    if exponent == EXPONENT:
        assert effect.points == pytest.approx(true, abs=0.012)
    assert effect.low * error(1000) < true < effect.high * error(1000)


def test_parts_of_rows_keep_the_classes_and_do_not_overlap() -> None:
    labels = np.repeat(np.arange(3), (40, 20, 80))
    a, b = (stratified_share(labels, 0.25, seed=0, replicate=r) for r in (0, 1))
    assert np.bincount(labels[a]).tolist() == [10, 5, 20]
    assert not np.isin(a, b).any()
    assert [len(r.rows) for r in part_retrainings(labels, 0.5, 2, seed=0)] == [70, 70]
    assert growth_factor(0.5, 2.0) > growth_factor(0.25, 2.0)


def test_the_class_that_lost_most_is_to_be_labelled_next() -> None:
    labels = np.repeat(np.arange(3), 300)
    sure = 3.0 * np.eye(3)[labels]
    part = sure.copy()
    part[:150, 1] = 9.0  # without half of the rows half of class 0 is lost
    examined = ExaminedImages(np.arange(900), labels, sure, np.ones(900), 900)
    table = class_gains_table(examined, [part], labels, ("a", "b", "c"), share=0.5)
    assert table.frame["class"][0] == "a"
    assert "a" in table.caption
    assert table.frame["images_for_a_point"][0] > 0


def test_class_priors_mend_a_shifted_class_and_a_temperature_nothing() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=2000)
    logits = noisy_logits(labels, 1) + np.array([1.5, 0, 0])
    bias = fit_class_bias(logits[:1000], labels[:1000])
    assert bias[0] < bias[1]
    assert bias[0] < bias[2]
    examined = ExaminedImages(np.arange(1000), labels[1000:], logits[1000:], np.ones(1000), 1000)
    assert net_effect(try_class_bias(examined, logits[:1000], labels[:1000])).low > 0
    assert net_effect(try_temperature(examined, 3.0)).net == 0


def test_jitters_keep_the_shape_and_shifts_are_at_most_three_pixels_in_thirty_two() -> None:
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    pixels[0, 16, 16] = 255
    for name, jitter in JITTERS.items():
        moved = jitter(pixels)
        assert moved.shape == pixels.shape
        y, x = np.unravel_index(moved[0, :, :, 0].argmax(), (32, 32))
        assert max(abs(int(y) - 16), abs(int(x) - 16)) <= 3, name


def test_an_answer_that_a_mirror_turns_is_fragile(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, pixels = seen
    found = try_fragility(examined, pixels, left_or_right, views=1)
    wrong = examined.wrong
    assert (found.strengths[wrong] == 1).all()  # the mirror exchanges the two classes
    assert (found.strengths[~wrong] == -1).all()


@pytest.mark.parametrize("name", list(REPAIRS))
def test_repairs_change_images_and_keep_their_shape(name: str) -> None:
    pixels, _ = made_images(n=3)
    repaired = REPAIRS[name](pixels)
    assert repaired.shape == pixels.shape
    assert repaired.dtype == np.uint8
    assert not np.array_equal(repaired, pixels)


def test_a_repair_is_chosen_and_mends_planted_damage() -> None:
    """A model that reads the contrast errs on flat images; stretching mends them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    wide = rng.integers(0, 256, (200, 8, 8, 3))
    narrow = 110 + wide * 0.1
    pixels = np.where(labels[:, None, None, None] == 0, wide, narrow).astype(np.uint8)

    def by_contrast(images: Pixels) -> Reals:
        spread = images.std(axis=(1, 2, 3)) - 30.0
        return np.stack([spread, -spread], axis=1)

    zeros = np.zeros(200, dtype=np.int64)
    examined = ExaminedImages(np.arange(200), zeros, by_contrast(pixels), np.ones(200), 200)
    assert best_repair(pixels, zeros, by_contrast) == "contrast stretched"
    assert net_effect(try_repair(examined, pixels, by_contrast, name="contrast stretched")).net == 1.0


def squares(back: np.ndarray, front: np.ndarray) -> tuple[Pixels, Masks]:
    """Squares of one class's colour on the colour of another, with their masks."""
    colours = 230 * np.eye(3)
    pixels = np.tile(colours[back][:, None, None], (1, 16, 16, 1))
    pixels[:, 4:12, 4:12] = colours[front][:, None, None]
    inside = np.zeros((len(back), 128, 128), dtype=bool)
    inside[:, 32:96, 32:96] = True
    return pixels.astype(np.uint8), Masks(inside, np.ones(len(back), dtype=bool))


def mean_colour(images: Pixels) -> Reals:
    """A model that reads the whole image, and so the background, which is larger."""
    return images.mean(axis=(1, 2)) / 10


def centre_colour(images: Pixels) -> Reals:
    """A model that reads the object."""
    return images[:, 8, 8] / 10.0


def test_errors_that_the_background_makes_are_mended_more_on_neutral_ones() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=90)
    pixels, masks = squares((labels + rng.integers(1, 3, size=90)) % 3, labels)
    examined = ExaminedImages(np.arange(90), labels, mean_colour(pixels), np.ones(90), 90)
    misled = try_background(examined, pixels, masks, mean_colour, seed=0)
    assert examined.wrong.all()
    assert misled.control_right.mean() == 0  # the background goes on saying the wrong class
    assert net_effect(try_background(examined, pixels, masks, centre_colour, seed=0)).net == 0


def test_two_classes_leave_no_neutral_background() -> None:
    labels = np.random.default_rng(0).integers(2, size=40)
    pixels, masks = squares(1 - labels, labels)
    examined = ExaminedImages(np.arange(40), labels, mean_colour(pixels)[:, :2], np.ones(40), 40)
    with pytest.raises(DeepSightError, match="third class"):
        try_background(examined, pixels, masks, mean_colour, seed=0)


def test_both_swaps_have_the_donors_that_they_promise() -> None:
    predicted = np.array([0, 0, 1, 1, 2])
    chosen = same_class_design(predicted, donors=3, seed=0)
    assert (predicted[chosen.subject] == predicted[chosen.donor]).all()
    assert (chosen.subject != chosen.donor).all()
    assert 4 not in chosen.subject  # nothing else is taken for its class


def test_a_change_of_the_recipe_is_judged_in_pairs(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    control = [noisy_logits(examined.labels, s, 1.0) for s in (0, 1)]
    arm = [each + 0.5 * np.eye(K)[examined.labels] for each in control]
    found = judge_change(examined, length_change(), arm, control, rows=100, share=1.0)
    assert net_effect(found).low > 0
    assert [c.name for c in resolution_changes(128)] == ["160 px", "96 px"]
    assert [c.name for c in resolution_changes(64)] == ["96 px"]


def test_more_steps_gain_less_on_all_rows_than_on_a_part(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    control = [noisy_logits(examined.labels, 0, 1.0)]
    arm = [control[0] + 0.5 * np.eye(K)[examined.labels]]

    def net(change: RecipeChange, share: float) -> float:
        return net_effect(judge_change(examined, change, arm, control, rows=100, share=share)).net

    # With error = steps^-0.8, steps going from 100 to 200 gain 2^0.8 times as much as from 200 to 400.
    curve = (100**-0.8 - 200**-0.8) / (200**-0.8 - 400**-0.8)
    assert net(length_change(), 0.5) * curve == pytest.approx(net(length_change(), 1.0))
    larger = resolution_changes(64)[0]
    assert net(larger, 0.5) == net(larger, 1.0)
    assert net(larger.in_equal_time(), 0.5) == net(larger, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_placebos_come_to_nothing(seed: int) -> None:
    pixels, labels = made_images(seed)
    examined = ExaminedImages(np.arange(M), labels, left_or_right(pixels), np.ones(M), M)
    assert np.array_equal(repeated_and_averaged(pixels), pixels)
    assert abs(net_effect(try_resize(examined, pixels, left_or_right)).net) <= 0.01
    twice = try_resize(examined, pixels, left_or_right, enlarge=lambda x: x.repeat(2, 1).repeat(2, 2))
    assert net_effect(twice).net == 0

    def retrain(wanted: Retraining) -> Reals:
        asked = wanted.in_order()
        return noisy_logits(labels, int(asked.seed + asked.rows @ np.arange(len(asked.rows))))

    for made in (shuffled_file, copied_rows):
        arm, control = ([retrain(each) for each in side] for side in made(30, trainings=2, seed=seed))
        assert net_effect(judge_placebo(examined, made.__name__, arm, control)).net == 0


def test_copies_and_order_change_no_training_but_a_bootstrap_sample_stays() -> None:
    twice = Retraining(np.array([2, 0, 1, 1, 0, 2]), 0, passes=0.5).in_order()
    assert twice.rows.tolist() == [0, 1, 2]
    assert twice.passes == 1.0
    drawn = Retraining(np.array([2, 0, 2]), 0).in_order()
    assert drawn.rows.tolist() == [0, 2, 2]
    assert drawn.passes == 1.0
    pixels = np.arange(3, dtype=np.uint8)[:, None, None, None]
    moved = Retraining(np.array([5, 3, 4]), 0, labels=np.array([0, 1, 2]), pixels=pixels).in_order()
    assert moved.labels is not None
    assert moved.pixels is not None
    assert moved.labels.tolist() == [1, 2, 0]
    assert moved.pixels.ravel().tolist() == [1, 2, 0]


def test_unused_rows_are_trained_on_in_as_many_steps() -> None:
    arm, control = unused_retrainings(100, 500, 2, seed=0)
    assert [len(each.rows) * each.passes for each in arm] == [100, 100]
    assert len(arm[0].rows) == 400  # at most four times as many
    assert arm[0].rows[:100].tolist() == control[0].rows.tolist() == list(range(100))
    assert not np.array_equal(arm[0].rows, arm[1].rows)


def test_unused_rows_that_help_are_said_to(seen: tuple[ExaminedImages, Pixels]) -> None:
    examined, _ = seen
    control = [noisy_logits(examined.labels, s, 0.5) for s in (0, 1)]
    arm = [each + 0.8 * np.eye(K)[examined.labels] for each in control]
    found = judge_unused(examined, arm, control, rows=100, more=300)
    assert net_effect(found).low > 0
    assert found.group == "data"


def test_a_change_in_equal_time_has_so_many_fewer_passes() -> None:
    up = resolution_changes(64)[0].in_equal_time()
    assert up.name == "96 px in equal time"
    assert up.passes == pytest.approx(4 / 9)
    assert "equal passes" not in up.arm
    assert up.retraining(np.arange(3), 0).resolution == 96


def test_a_neighbourhood_that_lost_most_comes_first() -> None:
    rng = np.random.default_rng(0)
    cloud = np.repeat(np.arange(3), 80)
    features = 5 * np.eye(3)[cloud] + rng.normal(0, 0.1, (240, 3))
    labels = np.zeros(240, dtype=np.int64)
    sure = np.tile([1.0, 0.0], (240, 1))
    part = sure.copy()
    part[cloud == 1] = [0.0, 1.0]  # without half of the rows, one neighbourhood is lost
    examined = ExaminedImages(np.arange(240), labels, sure, np.ones(240), 240)
    table = neighbourhood_gains_table(examined, [part], features, np.arange(240), ("a", "b"), share=0.5)
    first = table.frame.row(0, named=True)
    assert set(first["examples"]) <= set(range(80, 160))
    assert first["gain"] > 0.2
    assert table.frame["n"].sum() == 240


def test_damage_that_validation_does_not_have_is_seen_in_the_pixels() -> None:
    usual = np.stack([cv2.GaussianBlur(x, (0, 0), 1.5) for x in made_images(n=60)[0]]).astype(float)
    usual = np.clip(128 + 3 * (usual - 128), 0, 255).astype(np.uint8)
    flat = (0.25 * usual[:30] + 96).astype(np.uint8)
    assert restoring_repair(flat, usual[30:]) == "contrast stretched"
    assert restoring_repair(usual[:30], usual[30:]) == ""


def test_training_on_other_backgrounds_cuts_what_its_placebo_keeps() -> None:
    """Every background has the colour of its class: mixed composites lose that, matched ones do not."""
    labels = np.repeat(np.arange(3), 20)
    pixels = np.tile((80 * np.eye(3))[labels][:, None, None], (1, 16, 16, 1)).astype(np.uint8)
    pixels[:, 4:12, 4:12] = 200
    inside = np.zeros((60, 128, 128), dtype=bool)
    inside[:, 32:96, 32:96] = True
    accepted = np.ones(60, dtype=bool)
    accepted[0] = False
    swapped = swap_backgrounds(pixels, labels, Masks(inside, accepted), np.arange(60), seed=0)
    assert swapped.rows.tolist() == list(range(1, 60))
    corner = labels[swapped.rows]
    assert (swapped.matched[:, 0, 0].argmax(axis=1) == corner).all()
    assert (swapped.mixed[:, 0, 0].argmax(axis=1) == corner).mean() < 0.6
    assert (swapped.mixed[:, 8, 8] == 200).all()
    arm, control = swapped.retrainings(2, seed=4)
    assert [each.seed for each in arm] == [each.seed for each in control]
    examined = ExaminedImages(np.arange(60), labels, np.eye(3)[(labels + 1) % 3], np.ones(60), 60)
    found = judge_backgrounds(examined, swapped, [np.eye(3)[labels]], [np.eye(3)[(labels + 1) % 3]])
    assert net_effect(found).net == 1
    with pytest.raises(DeepSightError, match="usable mask"):
        swap_backgrounds(pixels, labels, Masks(inside, np.zeros(60, dtype=bool)), np.arange(60), seed=0)


def test_retrainings_refuse_nothing_that_levers_ask(seen: tuple[ExaminedImages, Pixels]) -> None:
    change = length_change().retraining(np.arange(4), 7)
    assert (change.part, change.passes, change.seed) == ("recipe", 2.0, 7)
