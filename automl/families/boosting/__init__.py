"""Gradient boosting by LightGBM, CatBoost and XGBoost; a library is one module here and one family."""

from automl.families.boosting.catboost import CatBoostFamily
from automl.families.boosting.family import BoostingFamily
from automl.families.boosting.lightgbm import LightGBMFamily
from automl.families.boosting.trainer import Booster, BoostingTrainer, patience
from automl.families.boosting.xgboost import XGBoostFamily

__all__ = [
    "Booster",
    "BoostingFamily",
    "BoostingTrainer",
    "CatBoostFamily",
    "LightGBMFamily",
    "XGBoostFamily",
    "patience",
]
