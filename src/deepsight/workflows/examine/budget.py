"""The minutes of an examination: what is spent and left, and the parts that come before the checks."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.model.foreign.foreign_model import Prepare
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network
from deepsight.workflows.examine.input_trials import raw_outputs

# Shares of the minutes. What these parts do not use goes to the checks.
AUDITED, PREDICTED, REFERENCE = 0.1, 0.12, 0.14
SOUGHT = 0.3  # in place of AUDITED where no file says how to prepare images: if that is wrong, all checks are
REPORT = 0.04  # kept for the last tables and the report
JUDGED = 0.6  # for a reference model, where predictions alone are examined
AUDIT_IMAGES, LEAST = 500, 30  # images of the preprocessing audit, at most and at least,
LEAST_UNTESTED = 12  # and at least where no documented preprocessing is tested
TRIED = 20  # preprocessings that the audit tries, roughly,
SCALINGS = 10  # and scalings with both orders of channels among them
TIMED = 8  # images on which the model is timed before the audit


@dataclass(frozen=True)
class TimeBudget:
    """The time of an examination, which runs from when this is made.

    Attributes:
        minutes: for the whole examination.
        clock: returns the time in seconds.
        began: by this clock.
        audited: share of the minutes for the preprocessing audit.
    """

    minutes: float
    clock: Callable[[], float] = time.perf_counter
    began: float = field(default=math.nan)
    audited: float = AUDITED

    def __post_init__(self) -> None:
        if math.isnan(self.began):
            object.__setattr__(self, "began", self.clock())

    @property
    def seconds(self) -> float:
        """For the whole examination."""
        return 60 * self.minutes

    def for_network(self, network: Network) -> "TimeBudget":
        """The same budget with the share of the audit that this network needs."""
        return replace(self, audited=SOUGHT if network.documented is None else AUDITED)

    @property
    def audit_seconds(self) -> float:
        """For the preprocessing audit."""
        return self.audited * self.seconds

    @property
    def usable(self) -> float:
        """The share of further minutes that reaches the checks."""
        return 1 - self.audited - PREDICTED - REFERENCE - REPORT

    def left(self) -> float:
        """Seconds that are left, without those of the report; not below 0."""
        spent = self.clock() - self.began
        return max(0.0, (1 - REPORT) * self.seconds - spent)


def audit_images(
    network: Network, prepare: Prepare | InputFormat, data: Dataset, seconds: float, *, documented: bool
) -> int:
    """The number of images in the audit: 500, or as many as fit into these seconds by a timed pass.

    A documented preprocessing is tested against others, on at least 30 images. Without documentation nothing
    is tested, and a slow model gets as few as 12, on which only the scaling and the channels are tried.
    """
    if math.isinf(seconds):
        return AUDIT_IMAGES
    raw_outputs(network, prepare, data.select(np.arange(1)))
    few = data.select(np.arange(min(TIMED, len(data))))
    began = time.perf_counter()
    raw_outputs(network, prepare, few)
    passes = seconds * len(few) / (time.perf_counter() - began)
    return images_for_passes(passes, data.k, documented=documented)


def images_for_passes(passes: float, k: int, *, documented: bool) -> int:
    """The images of an audit that so many forward passes pay for."""
    whole = int(min(passes / TRIED, AUDIT_IMAGES))
    if documented or whole >= LEAST:
        return min(AUDIT_IMAGES, max(whole, LEAST, 2 * k))
    return min(AUDIT_IMAGES, max(int(min(passes / SCALINGS, LEAST - 1)), LEAST_UNTESTED, 2 * k))
