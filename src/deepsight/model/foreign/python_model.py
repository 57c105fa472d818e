"""`python:package.module:function`: the user's own code, which returns a module and maybe preprocessing."""

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deepsight.core.errors import DeepSightError, UsageError, first_line
from deepsight.model.foreign.input_format import InputFormat, input_format_of
from deepsight.model.foreign.network import Network, network_of_module


def open_python(target: str) -> tuple[Network, Callable[..., Tensor] | InputFormat | None]:
    """The module that the user's function returns, and its preprocessing if it returns one too.

    The function takes no argument; the target may also name a torch module itself. It returns a torch module,
    or a pair of a module and its preprocessing: a function from uint8 images (b, h, w, 3) to the module's
    input, or a dictionary as in a file for `--preprocess`. It is imported from the Python path or the working
    directory, and runs because the user named it.

    Raises:
        UsageError: the target is not of the form package.module:function, or cannot be found.
        DeepSightError: the module or the function fails, or the function returns something else.
    """
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        file = Path(place)
        raise UsageError(
            f"Expected the name of a module, received the file {place}. Run this in its folder, "
            f"{file.parent}, with python:{file.stem}:{name}"
        )
    if not all(part.isidentifier() for part in (*place.split("."), name)):
        raise UsageError(f"Expected python:package.module:function, received 'python:{target}'.")
    found = function_at(place, name)
    returned = found if isinstance(found, nn.Module) else call(found, target)
    module, preprocess = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
    if not isinstance(module, nn.Module):
        raise DeepSightError(
            f"Expected python:{target} to return a torch.nn.Module, or a pair of one and its preprocessing, "
            f"received {type(module).__name__}."
        )
    return network_of_module(module, f"python:{target}"), returned_preprocessing(preprocess, target)


def function_at(place: str, name: str) -> Callable[[], Any]:
    """The function of this name in a module, which is also searched for in the working directory."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(place), name, None)
    except ImportError as error:
        raise UsageError(f"Python cannot import '{place}': {error}.") from error
    except (Exception, SystemExit) as error:  # of the user's code, which runs on import
        raise DeepSightError(
            f"Python cannot import '{place}': it failed with {type(error).__name__}: {first_line(error)}. "
            "What should not happen on import belongs below if __name__ == '__main__'."
        ) from error
    finally:
        with suppress(ValueError):  # the user's code may have removed it
            sys.path.remove(here)
    if not callable(found):
        raise UsageError(f"Expected a function '{name}' in '{place}', found none.")
    function: Callable[[], Any] = found
    return function


def call(function: Callable[[], Any], target: str) -> Any:
    """What the user's function returns."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DeepSightError(f"python:{target} failed: {type(error).__name__}: {error}") from error


def returned_preprocessing(given: Any, target: str) -> Callable[..., Tensor] | InputFormat | None:
    """The preprocessing that was returned with a module.

    Raises:
        UsageError: a dictionary has an unknown key or a wrong value.
        DeepSightError: it is neither a dictionary nor a function.
    """
    if isinstance(given, dict):
        return input_format_of(given)
    if given is None or callable(given):
        function: Callable[..., Tensor] | None = given
        return function
    raise DeepSightError(
        f"Expected the preprocessing of python:{target} to be a function or a dictionary, received "
        f"{type(given).__name__}."
    )
