"""DeepSight: why does my image classifier fail, and what do I do about it?"""

__version__ = "0.1.0"
