"""The passes of a study over all test images: by this process, by those of torchrun, or by Ray's workers."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.engine_settings import EngineSettings
from deepsight.core.files.atomic import file_digest
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.model.engine.settings import using_settings
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.model_file import load_model
from deepsight.model.predict import BLOCK, Predictor
from deepsight.model.pretrained import load_pretrained
from deepsight.workflows.passes.block_passes import LOCAL, run_blocks
from deepsight.workflows.passes.block_work import Arrays, Work, kept_folder
from deepsight.workflows.passes.image_passes import ImagePasses
from deepsight.workflows.passes.torchrun_pass import shared_pass
from deepsight.workflows.study_context import Context


def look_at_test_images(context: Context, untouched: FrozenBackbone, predictor: Predictor) -> Arrays | None:
    """The features of the test images, as `open_beside` returns them; None in all but the first process."""
    test = context.splits.test
    if context.engine == LOCAL:
        return shared_pass(
            partial(open_beside, untouched, predictor, test), len(test), block=BLOCK, name="test images",
            fabric=context.fabric, log=context.log,
        )  # fmt: skip
    work = partial(
        open_stored_beside, context.run.path.absolute(), load_options(context), context.plan.engine,
        replace(test, files=None, groups=None, metadata=None),
    )  # fmt: skip
    return run_blocks(
        work, len(test), block=BLOCK, engine=context.engine, kept=kept_of_model(context), name="test images",
        log=context.log,
    )  # fmt: skip


def open_stored_beside(
    folder: Path, load: Mapping[str, Any], settings: EngineSettings, data: Dataset
) -> Work:
    """`open_beside` with the model in a run folder, on any machine that can read the folder.

    Args:
        folder: the run folder.
        load: arguments of `load_pretrained`.
        settings: of forward passes.
        data: the images.
    """
    work = open_beside(FrozenBackbone(load_pretrained(**load)), load_model(folder), data)

    def answers(rows: slice) -> Arrays:
        with using_settings(settings):
            return work(rows)

    return answers


def load_options(context: Context) -> dict[str, Any]:
    """The arguments of `load_pretrained` that load the backbone of a study again."""
    study, file = context.study, Path(context.study.weights)
    return {
        "backbone": context.pretrained.name,
        "weights": str(file.absolute()) if file.is_file() else study.weights,
        "allow_partial": study.allow_partial, "offline": study.offline,
    }  # fmt: skip


def kept_of_model(context: Context) -> Path:
    """The folder for blocks of passes over the test images; the model stands for the data and the recipe."""
    return kept_folder("study", file_digest(context.run.file("model.safetensors")), context.plan.folds)


def open_beside(untouched: FrozenBackbone, predictor: Predictor, data: Dataset) -> Work:
    """The work of a pass that computes features with the trained model and with the pretrained backbone."""

    def answers(rows: slice) -> Arrays:
        part = data.select(np.arange(rows.start, rows.stop))
        said, frozen = untouched.beside(predictor, part, name="test")
        return {"features": said.features, "frozen": frozen}

    return answers


def with_measures(context: Context, inputs: ExaminationInputs) -> ExaminationInputs:
    """The inputs with the properties of the test images, if the workers of an engine measure them."""
    if context.engine == LOCAL:
        return inputs
    passes = ImagePasses(context.engine, kept_of_model(context), context.log)
    return replace(inputs, measured=passes.properties(inputs.test.images))
