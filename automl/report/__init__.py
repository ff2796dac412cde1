"""Figures of a search, and its report in HTML."""

from automl.report.plots import Plots
from automl.report.results import StudyResults
from automl.report.style import Figure

__all__ = ["Figure", "Plots", "StudyResults"]
