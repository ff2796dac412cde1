from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.explain import Part, explain
from automl.metrics import Predictions, metric_for
from automl.report import column_figures
from tests.support.explanations import EVIL, explanation


def test_columns_shows_importances_with_intervals():
    found = explanation()
    (axes,) = column_figures.columns(found).axes
    assert [bar.get_width() for bar in axes.patches] == found.importances["importance"].tolist()
    assert [text.get_text() for text in axes.get_yticklabels()][0] == "a"
    ends = axes.containers[1].lines[2][0].get_segments()
    assert ends[0][:, 0] == pytest.approx(found.importances.iloc[0][["low", "high"]].astype(float))
    assert "loss of r2" in axes.get_xlabel()


def test_effects_show_means_and_single_rows():
    found = explanation()
    figure = column_figures.effects(found)
    first = figure.axes[0]
    assert first.get_title() == "a"
    assert list(first.lines[-1].get_ydata()) == pytest.approx(found.effects["a"].mean[:, 0])
    assert len(first.lines) == 41
    names = [text.get_text() for text in figure.axes[1].get_xticklabels()]
    assert sorted(names) == ["x", "y"]
    figure._repr_png_()


def test_effects_of_classes_have_a_line_each():
    figure = column_figures.effects(explanation(("low", "mid", EVIL)))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["low", "mid", r"\$\frac\$<b>"]
    assert len(figure.axes[0].lines) == 3
    figure._repr_png_()


def test_effects_of_dates_are_on_an_axis_of_dates():
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90)})
    y = (frame["day"] - frame["day"].min()).dt.days.to_numpy(dtype=float)

    def predict(rows):
        return Predictions((rows["day"] - frame["day"].min()).dt.days.to_numpy(dtype=float))

    found = explain(
        [Part(predict, frame, y, np.arange(90))], metric_for("r2", "regression"), decode=lambda values: values
    )
    (axes,) = column_figures.effects(found).axes
    x, mean = axes.lines[-1].get_data()
    assert pd.Timestamp(x[0]).year == 2024
    assert mean[-1] - mean[0] == (pd.Timestamp(x[-1]) - pd.Timestamp(x[0])).days
