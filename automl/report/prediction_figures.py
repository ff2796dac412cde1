"""Figures of predictions for known targets: confusion, ROC, calibration, residuals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from sklearn.metrics import auc, average_precision_score, confusion_matrix, precision_recall_curve, roc_curve

from automl.errors import Fault, SettingError
from automl.report.results import RowPredictions, StudyResults
from automl.report.style import GREY, INK, Figure, Look, looks, new_figure, note, plain, styled

__all__ = ["calibration", "confusion", "residuals", "roc"]

Array = npt.NDArray[Any]

_MOST_CLASSES = 12  # of a confusion matrix; the rarer ones are one row
_MOST_CURVES = 6
_BINS = 10
_MOST_POINTS = 400  # of a curve
_MOST_ROWS = 3000  # of a scatter
_Z = 1.96  # standard deviations of a 95 % interval


@styled
def confusion(results: StudyResults) -> Figure:
    """Return the confusion matrix: rows are true classes, columns predicted ones.

    Shades are shares of the row; numbers are counts of rows. Of more than 12 classes the rarer ones are "others".
    """
    found = _classes(results, "confusion")
    y, predicted, labels = _merged(found)
    matrix = confusion_matrix(y, predicted, labels=np.arange(len(labels)))
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    size = max(3.2, 0.55 * len(labels) + 2.0)
    figure, (axes,) = new_figure(width=size + 1.2, height=size)
    edges = np.arange(len(labels) + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    for row, column in np.ndindex(*matrix.shape):
        color = "white" if shares[row, column] > 0.55 else INK
        axes.annotate(f"{matrix[row, column]}", (column, row), color=color, ha="center", va="center")
    axes.set_xticks(range(len(labels)), labels, rotation=45 if len(labels) > 3 else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.grid(False)
    correct = np.trace(matrix) / matrix.sum()
    axes.set(xlabel="predicted", ylabel="true", title=f"{correct:.1%} correct, {found.source}")
    return figure


@styled
def roc(results: StudyResults) -> Figure:
    """Return ROC and precision-recall curves; of several classes one against the rest, the largest 6 classes."""
    found = _classes(results, "roc")
    figure, (left, right) = new_figure(2, columns=2, width=8.4, height=3.9)
    left.plot([0, 1], [0, 1], color=GREY, lw=0.9, ls=":")
    for label, positive, scores, look in _one_against_rest(found):
        false, true, _ = roc_curve(positive, scores)
        precision, recall, _ = precision_recall_curve(positive, scores)
        _line(left, false, true, look, f"{label}: {auc(false, true):.3f}")
        _line(right, recall, precision, look, f"{label}: {average_precision_score(positive, scores):.3f}")
        right.axhline(positive.mean(), color=look.color, lw=0.8, ls=":")
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC (area)")
    right.set(xlabel="recall", ylabel="precision", title="Precision and recall (average precision)")
    left.legend(loc="lower right")
    right.legend(loc="lower left")
    for panel in (left, right):
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
    figure.suptitle(found.source, fontsize=9, color=INK)
    return figure


@styled
def calibration(results: StudyResults) -> Figure:
    """Return how often predicted probabilities come true, with 95 % intervals; of numbers, means by prediction."""
    found = _required(results, "calibration")
    figure, (axes,) = new_figure(width=5.6, height=4.6)
    if found.classes is None:
        predicted, true, error = _binned(found.predictions.values, found.y, share=False)
        axes.errorbar(predicted, true, yerr=error, fmt="o-", color=INK, ms=4, capsize=2)
        axes.axline((predicted[0], predicted[0]), slope=1, color=GREY, lw=0.9, ls=":")
        axes.set(xlabel="mean prediction", ylabel="mean of the target", title=f"Calibration, {found.source}")
        return figure
    if found.predictions.probabilities is None:
        remedy = "Choose a model with probabilities."
        raise SettingError(Fault("calibration", "needs probabilities", "decision scores", remedy))
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, ls=":")
    for label, positive, scores, look in _one_against_rest(found):
        predicted, true, error = _binned(scores, positive.astype(float), share=True)
        brier = np.mean((scores - positive) ** 2)
        axes.errorbar(
            predicted,
            true,
            yerr=error,
            color=look.color,
            marker=look.marker,
            ls=look.line,
            ms=4,
            capsize=2,
            label=f"{label}: Brier {brier:.3f}",
        )
    axes.set(
        xlabel="predicted probability", ylabel="share that came true", title=f"Calibration, {found.source}"
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    return figure


@styled
def residuals(results: StudyResults) -> Figure:
    """Return predictions against targets, and the distribution of their differences."""
    found = _required(results, "residuals")
    if found.classes is not None:
        remedy = "Use search.plot.confusion()."
        raise SettingError(Fault("residuals", "needs a numeric target", "classes", remedy))
    y, predicted = found.y, found.predictions.values
    shown = np.arange(len(y))
    if len(y) > _MOST_ROWS:
        shown = np.random.default_rng(0).choice(len(y), _MOST_ROWS, replace=False)
    figure, (left, right) = new_figure(2, columns=2, width=8.4, height=3.9)
    left.scatter(y[shown], predicted[shown], s=9, color=INK, alpha=0.35, lw=0)
    left.axline((float(y.mean()), float(y.mean())), slope=1, color=GREY, lw=1, ls=":")
    left.set(xlabel=f"true {plain(results.facts.target)}", ylabel="predicted", title="Predictions")
    if len(shown) < len(y):
        note(left, f"{len(shown):,} of {len(y):,} rows")
    differences = y - predicted
    right.hist(differences, bins=min(50, max(8, len(y) // 10)), color=GREY)
    right.axvline(0, color=INK, lw=1)
    mean, spread = differences.mean(), differences.std()
    right.set(xlabel="true - predicted", ylabel="rows", title=f"Residuals: mean {mean:.3g}, std {spread:.3g}")
    figure.suptitle(found.source, fontsize=9, color=INK)
    return figure


def _required(results: StudyResults, figure: str) -> RowPredictions:
    if results.predictions is None:
        remedy = "Search again: predictions of older searches, or of a deleted folder, are not kept."
        raise SettingError(Fault(figure, "needs out-of-fold predictions of the best trial", "none", remedy))
    return results.predictions


def _classes(results: StudyResults, figure: str) -> RowPredictions:
    found = _required(results, figure)
    if found.classes is None:
        remedy = "Use search.plot.residuals()."
        raise SettingError(Fault(figure, "needs classes", "a numeric target", remedy))
    return found


def _merged(found: RowPredictions) -> tuple[Array, Array, list[str]]:
    """Return true and predicted codes and the labels, with rare classes merged."""
    classes = [plain(label, 20) for label in found.classes or ()]
    y, predicted = found.y.astype(int), found.predictions.values.astype(int)
    if len(classes) <= _MOST_CLASSES:
        return y, predicted, classes
    counts = np.bincount(y, minlength=len(classes))
    kept = np.sort(np.argsort(-counts, kind="stable")[: _MOST_CLASSES - 1])
    codes = np.full(len(classes), len(kept))
    codes[kept] = np.arange(len(kept))
    return codes[y], codes[predicted], [*(classes[i] for i in kept), "others"]


def _one_against_rest(found: RowPredictions) -> Iterator[tuple[str, Array, Array, Look]]:
    """Yield label, rows of the class, scores and look of each class to show; of two classes the second."""
    classes = [plain(label, 20) for label in found.classes or ()]
    scores = found.predictions.probabilities
    scores = found.predictions.decision if scores is None else scores
    if scores is None:
        raise SettingError(Fault("figure", "needs probabilities or decision scores", "labels alone"))
    counts = np.bincount(found.y.astype(int), minlength=len(classes))
    codes = [1] if len(classes) == 2 else np.argsort(-counts, kind="stable")[:_MOST_CURVES].tolist()
    shown = looks(str(n) for n in range(len(codes)))
    for place, code in enumerate(codes):
        positive = found.y == code
        if positive.any() and not positive.all():
            column = scores if scores.ndim == 1 else scores[:, code]
            yield classes[code], positive, np.asarray(column, dtype=float), shown[str(place)]


def _line(axes: Axes, x: Array, y: Array, look: Look, label: str) -> None:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).astype(int))
    axes.plot(x[kept], y[kept], color=look.color, ls=look.line, lw=1.6, label=label)


def _binned(scores: Array, truth: Array, *, share: bool) -> tuple[Array, Array, Array]:
    """Return mean score, mean truth and distances to the ends of a 95 % interval, of bins with equal numbers of rows.

    The interval of a share is that of Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).
    """
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, min(_BINS, max(1, len(order) // 10))) if len(part)]
    x = np.array([scores[part].mean() for part in parts])
    mean = np.array([truth[part].mean() for part in parts])
    n = np.array([len(part) for part in parts])
    if not share:
        half = _Z * np.array([truth[part].std() for part in parts]) / np.sqrt(n)
        return x, mean, np.stack([half, half])
    center = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return x, mean, np.maximum(0, np.stack([mean - (center - half), center + half - mean]))
