"""Figures of a search, and its report in HTML."""

from automl.report.comparison import compared_history, html_comparison, scores_table
from automl.report.document import html_report
from automl.report.page import Table
from automl.report.plots import Plots
from automl.report.results import RowPredictions, StudyResults
from automl.report.style import Figure
from automl.report.summary import html_summary

__all__ = [
    "Figure",
    "Plots",
    "RowPredictions",
    "StudyResults",
    "Table",
    "compared_history",
    "html_comparison",
    "html_report",
    "html_summary",
    "scores_table",
]
