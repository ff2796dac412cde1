"""Which trials are best."""

from automl.select.leaderboard import best_record, leaderboard, ranked

__all__ = ["best_record", "leaderboard", "ranked"]
