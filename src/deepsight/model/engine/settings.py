"""The inference engine's settings for this process.

They depend on the machine and not on a model, like torch's number of threads, so they are set once and not
passed through every signature. If no plan has set them, OpenVINO is used if it is installed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from importlib.util import find_spec

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import UsageError
from deepsight.core.recipe import PassPrecision
from deepsight.model.engine.openvino_backend import has_bfloat16

VARIABLE = "DEEPSIGHT_ENGINE"  # "torch" or "openvino": overrides the self-test, not a stored plan
_active: ContextVar[EngineSettings | None] = ContextVar("engine_settings", default=None)


def active_settings() -> EngineSettings:
    """The active settings."""
    return _active.get() or default_settings()


def use_settings(settings: EngineSettings) -> None:
    """Activate settings for the rest of the process."""
    _active.set(settings)


def settings_of_long_passes(threads: int) -> EngineSettings:
    """The settings for a pass over many images: the active ones, or the usually fastest if no plan set any.

    These have a stream per thread, because a network this small does not fill several threads with one batch,
    and bfloat16 for unreported outputs if the processor has instructions for it.

    Args:
        threads: that the engine may use.
    """
    settings = active_settings()
    if _active.get() is None and settings.backend == "openvino":
        precision: PassPrecision = "bf16-mixed" if has_bfloat16() else "32-true"
        return replace(settings, streams=max(1, threads), precision=precision)
    return settings


@contextmanager
def using_settings(settings: EngineSettings) -> Iterator[None]:
    """Activate settings inside a block."""
    token = _active.set(settings)
    try:
        yield
    finally:
        _active.reset(token)


def default_settings() -> EngineSettings:
    """OpenVINO with one stream if it is installed, else torch; `DEEPSIGHT_ENGINE` overrides this.

    Raises:
        UsageError: `DEEPSIGHT_ENGINE` names no engine.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "torch", "openvino"):
        raise UsageError(f"Expected {VARIABLE} to be torch or openvino, received '{wanted}'.")
    if wanted != "torch" and openvino_installed():
        return EngineSettings("openvino")
    return EngineSettings("torch")


def openvino_installed() -> bool:
    """Whether OpenVINO can be imported; it is not imported here."""
    return find_spec("openvino") is not None
