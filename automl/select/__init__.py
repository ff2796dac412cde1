"""Rank trials and choose the best."""

from automl.select.leaderboard import best_record, describe_violations, leaderboard, pareto_front, rank

__all__ = ["best_record", "leaderboard", "describe_violations", "pareto_front", "rank"]
