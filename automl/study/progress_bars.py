"""Import tqdm without its warning that a notebook has no widgets; Optuna imports it, and its bars are not used."""

import warnings
from importlib import import_module

__all__: list[str] = []

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import_module("tqdm.auto")
