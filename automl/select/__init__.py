"""Which trials are best."""

from automl.select.leaderboard import best_record, leaderboard, over, pareto_front, ranked

__all__ = ["best_record", "leaderboard", "over", "pareto_front", "ranked"]
