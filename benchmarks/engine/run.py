"""What each part of the engine buys on this machine, as ratios measured in turns.

    python benchmarks/engine/run.py [--questions ...] [--smoke]

- engines: images per second of PyTorch, OpenVINO and onnxruntime, how far they differ, and their start.
- bars: cached maps, prediction and a training step over those of the version before; a step by kind of layer.
- folding: forward of the plain timm model over that of the folded one.
- prediction: from stored pixels to logits for many images, over the bare forward pass on ready batches.
- passes: the frozen stages' forward pass over 64 images at once over that by the engine's batches.
- memory: a training step that gives freed memory back over one that keeps it.
- augmentation: its share of the time in which a cached view is made.
- bfloat16: time of the frozen stages and of a step of the trainable ones over float32's, of a ResNet18 too.
- commands: seconds of `examine` on 10,000 predictions, and of near-duplicates among 60,000 images.
- decoding: images per second from JPEG files to stored pixels, beside those from stored pixels to logits.
- rows: seconds and peak memory of a training by its rows, and the straight line through them.

EfficientNet-Lite0 from its package; rows are added to results.csv as they come. The last table is that of the
release's targets (targets.py).
"""

import argparse
import copy
import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import timm
import torch
from commands import duplicates_rows, examine_rows
from decoding import decoding_rows
from engines import bars as engine_bars
from engines import engine_table, first_pass, start_up, wheel_size
from targets import targets_table
from turns import Row, in_turns, ratio_row, timed

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.engine_settings import EngineSettings
from deepsight.core.environment import processor
from deepsight.core.recipe import Recipe
from deepsight.model.augment import augmented
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import BLOCK, frozen_maps
from deepsight.model.engine import ForwardEngine
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.hardware.allocator import freed_memory_kept
from deepsight.model.hardware.precision import forward_in, gradient_step
from deepsight.model.predict import Predictor
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.fit import fabric_of, fit_model, preprocessing_of
from deepsight.obtain import load_dataset

HERE = Path(__file__).resolve().parent
FIELDS = ("question", "setting", "measure", "value", "least", "most", "n", "machine", "torch")
PX = (64, 128)


def classifier(*, folded: bool = True) -> Classifier:
    """EfficientNet-Lite0 with ten classes."""
    built = Classifier(load_pretrained("tf_efficientnet_lite0", "auto").backbone, 10)
    if folded:
        built.fuse_all()
    return built.eval()


def predictor_at(side: int) -> Predictor:
    """A predictor of images at this side."""
    preprocessing = preprocessing_of(
        load_pretrained("tf_efficientnet_lite0", "auto"), Recipe(resolution=side)
    )
    return Predictor(classifier(), preprocessing)


def batch_at(side: int, n: int | None = None) -> torch.Tensor:
    """Made images, else as many as pass at once; the time does not depend on what is in them."""
    torch.manual_seed(0)
    return torch.randn(n or EngineSettings().images_per_batch(side), 3, side, side).contiguous(
        memory_format=torch.channels_last
    )


def folding(train: Dataset, *, small: bool) -> Iterator[Row]:
    """How much longer the plain model takes."""
    plain, folded = classifier(folded=False), classifier()
    for side in PX:
        x, rounds = batch_at(side), 3 if small else 15
        with torch.inference_mode():
            seconds = in_turns(lambda x=x: folded(x), lambda x=x: plain(x), rounds=rounds)
        yield ratio_row("folding", f"{side} px", "plain forward over folded", seconds, rounds * len(x))


def prediction(train: Dataset, *, small: bool) -> Iterator[Row]:
    """From stored pixels to logits, over the bare pass on batches that are ready.

    Images are taken block by block, in turns with as many for the bare pass, so that both see the same load.
    """
    side, block, n = (32, 128, 384) if small else (64, 4096, len(train))
    predictor, ready = predictor_at(side), batch_at(side)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(block // len(ready)):
                predictor.classifier(ready)

    seconds = []
    for start in range(0, n - block + 1, block):
        part = train.select(np.arange(start, start + block))
        whole = partial(predictor.predictions, part, name="train")
        seconds.append([timed(bare), timed(whole)])
    setting = f"{side} px, {len(seconds)} blocks of {block}"
    yield ratio_row("prediction", setting, "stored pixels to logits over bare forward", np.array(seconds), n)


def passes(train: Dataset, *, small: bool) -> Iterator[Row]:
    """How much longer many images at once take than passes of bounded size."""
    network, images = classifier(), 64
    for side in (32,) if small else (*PX, 160):
        x = batch_at(side, images)
        parts = torch.split(x, 16 if small else EngineSettings().images_per_batch(side))

        def forward(parts: Sequence[torch.Tensor]) -> None:
            with torch.inference_mode():
                for part in parts:
                    network.frozen_stages(part)

        rounds = 2 if small else 15
        seconds = in_turns(partial(forward, parts), partial(forward, [x]), rounds=rounds)
        setting = f"{side} px, {len(parts[0])} images"
        yield ratio_row("passes", setting, "trunk forward over 64 images over that", seconds, rounds * images)


def memory(train: Dataset, *, small: bool) -> Iterator[Row]:
    """How much longer a step of 128 images takes when the allocator gives freed memory back."""
    network, images, rounds = classifier(), 16 if small else 128, 2 if small else 7
    for side in (32,) if small else (*PX, 160):
        maps = torch.cat([frozen_maps_of(network, part) for part in torch.split(batch_at(side, images), 16)])

        def step(maps: torch.Tensor = maps) -> None:
            gradient_step(network.trainable_stages, network.head, maps, "32-true")

        def kept(step: Callable[[], None] = step) -> float:
            with freed_memory_kept():
                step()  # gets the memory
                return timed(step)

        def given_back(step: Callable[[], None] = step) -> float:
            step()
            return timed(step)

        seconds = np.array([[kept(), given_back()] for _ in range(rounds)])
        yield ratio_row("memory", f"{side} px", "step over that with memory kept", seconds, rounds * images)


def frozen_maps_of(network: Classifier, images: torch.Tensor) -> torch.Tensor:
    """Maps after the frozen stages, as a step takes them."""
    with torch.no_grad():
        return network.frozen_stages(images)


def augmentation(train: Dataset, *, small: bool) -> Iterator[Row]:
    """Share of a cached view's time that goes to Albumentations."""
    pixels = train.pixels(slice(0, 256 if small else BLOCK))
    for side in (32,) if small else PX:
        predictor = predictor_at(side)
        engine = ForwardEngine(StageMapsGraph(predictor.classifier.frozen_stages))
        preprocessing = predictor.preprocessing
        seconds = in_turns(
            partial(frozen_maps, engine, pixels, preprocessing, "a block"),
            lambda: augmented(pixels, view=1, block=0, seed=0),
            rounds=2 if small else 9,
        )
        seconds[:, 0] += seconds[:, 1]
        yield ratio_row("augmentation", f"{side} px", "share of making a view", seconds, len(pixels))


def resnet18(*, fused: bool = True) -> Classifier:
    """A ResNet18 with ten classes and random weights, on which its time does not depend."""
    built = Classifier(timm.create_model("resnet18", num_classes=0), 10)
    return fused_of(built) if fused else built.eval()


def fused_of(plain: Classifier) -> Classifier:
    """A copy with its batch norms fused."""
    built = copy.deepcopy(plain)
    built.fuse_all()
    return built.eval()


def bfloat16(train: Dataset, *, small: bool) -> Iterator[Row]:
    """What the self-test decides about."""
    rounds = 2 if small else 7
    networks = {"Lite0": classifier(), "ResNet18": resnet18()}
    for (name, network), side in product(networks.items(), (32,) if small else PX):
        x, setting = batch_at(side, 8 if small else None), f"{name}, {side} px"

        def forward(precision: str, x: torch.Tensor = x, network: Classifier = network) -> torch.Tensor:
            with torch.no_grad():
                return forward_in(precision, network.frozen_stages, x)

        maps = forward("32-true")
        seconds = in_turns(lambda f=forward: f("32-true"), lambda f=forward: f("bf16-mixed"), rounds=rounds)
        yield ratio_row("bfloat16", setting, "trunk forward over float32", seconds, len(x) * rounds)
        steps = [
            partial(gradient_step, network.trainable_stages, network.head, maps, p)
            for p in ("32-true", "bf16-mixed")
        ]
        seconds = in_turns(*steps, rounds=rounds)
        yield ratio_row("bfloat16", setting, "step over float32", seconds, len(x) * rounds)


def rows(train: Dataset, *, small: bool) -> Iterator[Row]:
    """Seconds of one pass of training at 64 px by rows, and how far the straight line misses."""
    counts = (128, 256) if small else (5_000, 10_000, 20_000, 49_000)
    found = []
    for n in counts:
        splits = Splits(
            train.select(np.arange(n)),
            train.select(np.arange(n, n + 500)),
            train.select(np.arange(n + 500, n + 501)),
        )
        recipe = Recipe(resolution=32 if small else 64, epochs=1, views=1)
        pretrained = copy.deepcopy(load_pretrained("tf_efficientnet_lite0", "auto"))
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            fit_model(
                pretrained, splits, recipe, cache=FeatureCache(Path(folder)), fabric=fabric_of(),
            )  # fmt: skip
            found.append(time.perf_counter() - began)
        yield {
            "question": "rows", "setting": f"{n} rows", "measure": "seconds", "value": round(found[-1], 1),
            "least": "", "most": "", "n": 1,
        }  # fmt: skip
    line = np.polyfit(counts, found, 1)
    miss = np.abs(np.polyval(line, counts) / np.array(found) - 1)
    yield {
        "question": "rows", "setting": f"{1000 * line[0]:.2f} s a thousand rows and {line[1]:.1f} s",
        "measure": "largest miss of the straight line", "value": round(float(miss.max()), 3), "least": "",
        "most": "", "n": len(counts),
    }  # fmt: skip


def decoding(train: Dataset, *, small: bool) -> Iterator[Row]:
    """Whether the network waits for files."""
    for side in (32,) if small else PX:
        yield from decoding_rows(predictor_at(side), side, 64 if small else 1_000, 2 if small else 3)


def engines(train: Dataset, *, small: bool) -> Iterator[Row]:
    """The engines side by side, and how long they take to start."""
    plain, sizes = resnet18(fused=False), {32: 8} if small else {64: 64, 128: 16}
    lite0 = classifier(folded=False)
    networks = {"Lite0": (lite0, fused_of(lite0))}
    networks |= {} if small else {"ResNet18": (plain, fused_of(plain))}
    rounds = 2 if small else 9
    yield from engine_table(networks, sizes, rounds)
    yield from start_up(1 if small else 5)
    yield from first_pass(classifier())
    if not small:
        yield from wheel_size()


def bars(train: Dataset, *, small: bool) -> Iterator[Row]:
    """What is held against the version before, and where a step's time goes."""
    yield from engine_bars(
        classifier(), train, (32,) if small else PX, 64 if small else 512, 1 if small else 5
    )


def commands(train: Dataset, *, small: bool) -> Iterator[Row]:
    """Whole commands of a release."""
    yield from examine_rows(1 if small else 3)
    yield from duplicates_rows(train, 200 if small else 50_000)


QUESTIONS = {
    "engines": engines, "bars": bars,
    "folding": folding, "prediction": prediction, "passes": passes, "memory": memory,
    "augmentation": augmentation, "bfloat16": bfloat16, "decoding": decoding, "commands": commands,
    "rows": rows,
}  # fmt: skip


def table(found: Sequence[Row]) -> str:
    """Every row."""
    lines = ["| question | setting | measure | value | least to most | n |", "|---|---|---|---|---|---|"]
    for row in found:
        spread = f"{row['least']} to {row['most']}" if row["least"] != "" else ""
        said = [str(row[name]) for name in ("question", "setting", "measure", "value")]
        lines.append(f"| {' | '.join([*said, spread, str(row['n'])])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--questions", nargs="+", choices=tuple(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    parser.add_argument("--smoke", action="store_true", help="a few hundred images, to prove that it works")
    args = parser.parse_args()
    torch.set_num_threads(2)
    train = load_dataset("cifar10").train
    found: list[Row] = []
    new = not args.results.exists()
    with args.results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for question in args.questions:
            for row in QUESTIONS[question](train, small=args.smoke):
                found.append({**row, "machine": processor(), "torch": torch.__version__})
                writer.writerow(found[-1])
                file.flush()
    print(table(found))
    print(f"\n{targets_table(processor())}")


if __name__ == "__main__":
    main()
