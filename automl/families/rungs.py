"""The rungs of a study: training steps at which trials are scored."""

from __future__ import annotations

__all__ = ["epoch_steps", "part_ends", "rung_levels"]

_FIRST_SAMPLE = 5_000  # rows of the first rung of a large table, at least


def epoch_steps(n_rows: int) -> int:
    """Return the number of steps of an epoch for ``n_rows`` training rows: a power of two.

    Steps are the unit of all rungs of a study, proportional to the training so far. Step ``s`` below ``epoch_steps``
    has seen the share ``s / epoch_steps`` of the rows; later steps are whole epochs. An epoch is a pass over the rows,
    a number of trees, or the whole fit of a model with neither.

    Examples
    --------
    >>> [epoch_steps(n) for n in (100, 9_999, 10_000, 80_000, 1_000_000)]
    [1, 1, 2, 16, 128]
    """
    return int(2 ** max(0, (n_rows // _FIRST_SAMPLE).bit_length() - 1))


def rung_levels(last: int, ratio: int = 2, through: int = 1) -> set[int]:
    """Return the rungs up to ``last``: a geometric series that contains ``through``.

    All trials of a family have the same rungs, so that a pruner compares scores after equal training.

    Parameters
    ----------
    last : int
        The last step.
    ratio : int
        Ratio of a rung to the one before.
    through : int
        A rung of the series.

    Examples
    --------
    >>> sorted(rung_levels(20))
    [1, 2, 4, 8, 16]
    >>> sorted(rung_levels(200, ratio=4, through=32))
    [2, 8, 32, 128]
    """
    first = through
    while first % ratio == 0:
        first //= ratio
    return {rung for power in range(last.bit_length()) if (rung := first * ratio**power) <= last}


def part_ends(before: int, rung: int, parts: int, epoch_steps: int) -> list[int]:
    """Return the steps at which the parts of the training between two rungs end: whole epochs, and the rung.

    Examples
    --------
    >>> part_ends(64, 128, 4, 4), part_ends(4, 8, 4, 4), part_ends(0, 10, 4, 1)
    ([80, 96, 112, 128], [8], [2, 5, 7, 10])
    """
    ends = {before + part * (rung - before) // parts // epoch_steps * epoch_steps for part in range(1, parts)}
    return sorted({*(end for end in ends if before < end < rung), rung})
