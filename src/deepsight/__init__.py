"""DeepSight: why does my image classifier fail, and what do I do about it?

Every name below is imported when it is first used: torch alone takes seconds to load.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepsight.config import StudyConfig
    from deepsight.core.dataset import Dataset
    from deepsight.core.predictions import Predictions
    from deepsight.core.run import Run
    from deepsight.interpret.findings import Findings
    from deepsight.obtain import load_dataset
    from deepsight.workflows.audit.run_audit import audit
    from deepsight.workflows.compare.two_runs import compare
    from deepsight.workflows.examine.examine import examine
    from deepsight.workflows.predict.predict import predict
    from deepsight.workflows.publish.export import export_model
    from deepsight.workflows.study import run_study
    from deepsight.workflows.treat import treat

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "Findings",
    "Predictions",
    "Run",
    "StudyConfig",
    "audit",
    "compare",
    "examine",
    "export_model",
    "load_dataset",
    "predict",
    "run_study",
    "treat",
]

MODULES = {
    "audit": "deepsight.workflows.audit.run_audit",
    "Dataset": "deepsight.core.dataset",
    "Findings": "deepsight.interpret.findings",
    "Predictions": "deepsight.core.predictions",
    "Run": "deepsight.core.run",
    "StudyConfig": "deepsight.config",
    "compare": "deepsight.workflows.compare.two_runs",
    "examine": "deepsight.workflows.examine.examine",
    "export_model": "deepsight.workflows.publish.export",
    "load_dataset": "deepsight.obtain",
    "predict": "deepsight.workflows.predict.predict",
    "run_study": "deepsight.workflows.study",
    "treat": "deepsight.workflows.treat",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name not in MODULES:
        raise AttributeError(f"module 'deepsight' has no attribute '{name}'")
    return getattr(import_module(MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class PublicModule(ModuleType):
    """This package, whose public names win over its folders.

    Python sets `deepsight.treat` to the folder of that name once something in it is imported. The name
    belongs to the public function; the folder's modules are still found by their own names.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in MODULES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = PublicModule
