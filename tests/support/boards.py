"""Rows of leaderboards."""

from __future__ import annotations

import pandas as pd


def trial_rows(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of trials, without the ensemble and the baseline."""
    found = board[board["trial"].notna()]
    return found.assign(trial=found["trial"].astype(int))
