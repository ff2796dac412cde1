"""The space language: say what may be tried, and be told at once if it makes no sense."""

from automl.space.files import shipped_folder, shipped_names
from automl.space.load import load_space
from automl.space.space import Fits, Space

__all__ = ["Fits", "Space", "load_space", "shipped_folder", "shipped_names"]
