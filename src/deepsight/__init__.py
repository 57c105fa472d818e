"""DeepSight: why does my image classifier fail, and what do I do about it?"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Predictions", "Run", "examine", "export_model", "load_dataset", "predict_images", "run_study"]

PLACES = {
    "Predictions": "deepsight.core.predictions",
    "Run": "deepsight.core.run",
    "examine": "deepsight.workflows.examine_external",
    "export_model": "deepsight.workflows.export",
    "load_dataset": "deepsight.obtain",
    "predict_images": "deepsight.workflows.predict",
    "run_study": "deepsight.workflows.study",
}


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first used: torch takes seconds to load."""
    if name not in PLACES:
        raise AttributeError(f"module 'deepsight' has no attribute '{name}'")
    return getattr(import_module(PLACES[name]), name)
