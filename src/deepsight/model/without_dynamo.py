"""Imports of timm and lightning_fabric that leave torch's compiler unloaded.

timm, torchvision (which timm imports) and lightning_fabric each use one name of `torch._dynamo`. The compiler
takes longer to import than the three of them, and nothing here compiles with it. So these names have
stand-ins, which ask the compiler where somebody has loaded it after all.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

DYNAMO, UTILS = "torch._dynamo", "torch._dynamo.utils"


class _AnsweredByDynamo(type):
    def __instancecheck__(cls, instance: object) -> bool:
        real = sys.modules.get(DYNAMO)
        return real is not None and isinstance(instance, real.OptimizedModule)


class OptimizedModule(metaclass=_AnsweredByDynamo):
    """Stands for the class of compiled modules: has the same instances."""


def is_compile_supported(device_type: str) -> bool:
    """Whether the compiler supports a kind of device; loads it to ask."""
    return bool(import_module(UTILS).is_compile_supported(device_type))


def disable(function: Any = None, recursive: bool = True, **_: Any) -> Any:
    """Leaves a function as it is; the compiler's own keeps it out of compiled graphs."""
    return function if function is not None else disable


@contextmanager
def without_dynamo() -> Iterator[None]:
    """Let imports in this block have the stand-ins, unless the compiler is loaded already."""
    if DYNAMO in sys.modules:
        yield
        return
    sys.modules.update(stand_ins())
    try:
        yield
    finally:
        del sys.modules[DYNAMO], sys.modules[UTILS]


def stand_ins() -> dict[str, ModuleType]:
    """The compiler's two modules with these three names; any other is an ImportError or AttributeError."""
    package: Any = ModuleType(DYNAMO)
    package.__path__ = []
    package.OptimizedModule, package.disable = OptimizedModule, disable
    package.utils = utils = ModuleType(UTILS)
    utils.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    return {DYNAMO: package, UTILS: utils}


def import_networks() -> None:
    """Import timm and lightning_fabric; with the compiler if a version of them uses more names of it."""
    for name in ("timm", "lightning_fabric"):
        try:
            with without_dynamo():
                import_module(name)
        except (ImportError, AttributeError):
            import_module(name)
