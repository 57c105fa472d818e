"""Inference engines: every forward-only pass runs through `ForwardEngine`; training steps do not."""

from deepsight.model.engine.forward_engine import ForwardEngine
from deepsight.model.engine.settings import active_settings, settings_of_long_passes, using_settings

__all__ = ["ForwardEngine", "active_settings", "settings_of_long_passes", "using_settings"]
