"""Figures of a search, and its report in HTML."""

from automl.report.document import html_report
from automl.report.plots import Plots
from automl.report.results import RowPredictions, StudyResults
from automl.report.style import Figure
from automl.report.summary import html_summary

__all__ = ["Figure", "Plots", "RowPredictions", "StudyResults", "html_report", "html_summary"]
