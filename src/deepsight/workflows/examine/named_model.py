"""A foreign model by its name and its fit to the data, so that another process can open it."""

from dataclasses import dataclass, replace
from pathlib import Path

from deepsight.core.array_types import Ints
from deepsight.model.foreign.foreign_model import ForeignModel, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.open import open_model, split_model_name
from deepsight.model.foreign.outputs import OutputReading
from deepsight.workflows.examine.fit_model import FittedModel


@dataclass(frozen=True)
class NamedModel:
    """The name of a model as for `--model`, with its fit to the data.

    An opened TorchScript or ONNX file cannot be sent to another process; this can.

    Attributes:
        what: scheme and name; a file by its absolute path.
        weights: the user's own checkpoint for `timm:`.
        offline: use nothing that needs the network.
        input_format: the preprocessing, or None if it is the function that came with the model.
        reading: of the outputs.
        columns: int64 (k,), the output of each class of the data.
        nhwc: whether the input's channels come last.
        batch: the number of images that each call must have, or None.
    """

    what: str
    weights: Path | None
    offline: bool
    input_format: InputFormat | None
    reading: OutputReading
    columns: Ints
    nhwc: bool
    batch: int | None

    @staticmethod
    def of(fitted: FittedModel, what: str, weights: Path | None, *, offline: bool) -> "NamedModel":
        """The description of a model that was opened by this name and fitted."""
        scheme, rest = split_model_name(what)
        place = f"{scheme}:{Path(rest).absolute()}" if Path(rest).is_file() else what
        model = fitted.model
        return NamedModel(
            place, None if weights is None else weights.absolute(), offline, fitted.input_format,
            model.reading, model.columns, model.nhwc, model.opened.batch,
        )  # fmt: skip

    def open(self) -> ForeignModel:
        """The model, opened in this process, in evaluation mode.

        Raises:
            DeepSightError: it cannot be opened here.
        """
        opened = open_model(self.what, self.weights, offline=self.offline)
        network = replace(opened.network, batch=self.batch)
        if network.module is not None:
            network.module.eval()
        prepare = opened.preprocess if self.input_format is None else self.input_format
        assert prepare is not None  # a model without a format comes with its own function
        return foreign_model(network, prepare, self.reading, self.columns, self.nhwc)
