"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from automl.cli.completion import (
    complete_column,
    complete_pruner,
    complete_sampler,
    complete_scorer,
    complete_space,
    complete_study,
)

__all__ = [
    "AllowImport",
    "AllowIncludes",
    "ColumnTypes",
    "ClassWeight",
    "DropMissingTarget",
    "Encoding",
    "Engine",
    "ExperimentName",
    "Folds",
    "Groups",
    "MemoryLimit",
    "ModelFolder",
    "NJobs",
    "NTrials",
    "Patience",
    "PositiveClass",
    "Pruner",
    "RandomState",
    "RareClasses",
    "ResumedStudy",
    "Sampler",
    "Scoring",
    "Scratch",
    "Separator",
    "ShowProgress",
    "SpaceName",
    "Storage",
    "StudyName",
    "TableFile",
    "Target",
    "Task",
    "TimeColumn",
    "Timeout",
    "TrackingUri",
    "TrialTimeout",
    "Trust",
    "Calibrate",
    "Threshold",
    "UseEnsemble",
    "Weight",
]

TrackingUri = Annotated[
    str | None,
    typer.Option(help="MLflow store.", show_default="sqlite:///mlruns/mlflow.db", metavar="URI"),
]
ExperimentName = Annotated[str | None, typer.Option(help="MLflow experiment.", show_default="automl")]
StudyName = Annotated[
    str | None,
    typer.Argument(help="The study's name.", show_default="the newest", autocompletion=complete_study),
]
ResumedStudy = Annotated[
    str,
    typer.Argument(
        help="The study's name.", metavar="NAME", show_default=False, autocompletion=complete_study
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Where studies are kept: a journal file, an SQLite file (.db), or a storage URL of Optuna.",
        show_default="mlruns/studies/NAME.journal",
        metavar="PATH|URL",
    ),
]
TableFile = Annotated[
    Path,
    typer.Argument(
        help="The table: .csv, .tsv, .txt, .jsonl (or compressed), .parquet, .feather or .xlsx.",
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of a text FILE, e.g. latin-1 or cp1250.",
        metavar="NAME",
        show_default="UTF-8 or UTF-16, else Windows-1252 with a warning",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        help="Separator of a text FILE: one character, or tab.",
        metavar="CHARACTER",
        show_default="comma, semicolon, tab or pipe",
    ),
]
Target = Annotated[
    str, typer.Option(help="The column to predict.", show_default=False, autocompletion=complete_column)
]
SpaceName = Annotated[
    str, typer.Option(help="A space that ships, or a YAML file.", autocompletion=complete_space)
]
Scoring = Annotated[
    list[str] | None,
    typer.Option(
        help="Scorer of scikit-learn that ranks trials, e.g. accuracy, f1, r2; or your own, MODULE:FUNCTION. Several "
        "objectives: with commas, or one option each; first a scorer, then scorers, fit_seconds, predict_seconds, "
        "model_bytes.",
        metavar="NAME[,NAME]",
        autocompletion=complete_scorer,
        show_default="roc_auc, neg_log_loss or neg_root_mean_squared_error",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds in total; 60 without --n-trials.", show_default="60")
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(help="Seconds a trial may train before it is pruned.", show_default="no limit"),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(help="Memory for all processes together, e.g. 4GB.", show_default="no limit"),
]
Patience = Annotated[
    int | None, typer.Option(help="Trials without a new best score, before the end.", show_default="no limit")
]
NTrials = Annotated[int | None, typer.Option(help="Trials in total.", show_default="as many as fit")]
Folds = Annotated[
    str | None,
    typer.Option(
        help="Folds: a number; time, which validates on later rows; or time:N for N folds in time.",
        show_default="by the number of rows",
        metavar="N|time[:N]",
    ),
]
TimeColumn = Annotated[
    str | None, typer.Option(help="Column that orders the rows for --cv time.", show_default="rows in order")
]
Groups = Annotated[
    str | None,
    typer.Option(
        help="Column of groups, which no fold splits.",
        metavar="COLUMN",
        show_default="none",
        autocompletion=complete_column,
    ),
]
Weight = Annotated[
    str | None, typer.Option(help="Column of row weights.", metavar="COLUMN", show_default="all rows equal")
]
Task = Annotated[
    str | None,
    typer.Option(
        help="binary, multiclass or regression.", show_default="by the scorer, the space and the values"
    ),
]
PositiveClass = Annotated[
    str | None, typer.Option(help="Positive class of two.", metavar="LABEL", show_default="the last label")
]
ClassWeight = Annotated[
    list[str] | None,
    typer.Option(
        help="Weights of the classes in training: balanced, or one option for each label.",
        metavar="balanced|LABEL=W",
        show_default="all equal",
    ),
]
RareClasses = Annotated[
    str, typer.Option(help="Classes with fewer rows than folds: error, merge (into one) or drop.")
]
DropMissingTarget = Annotated[
    bool, typer.Option(help="Leave out rows without a target, or stop with an error.")
]
NJobs = Annotated[
    int | None,
    typer.Option(help="Cohorts side by side; -1: one per core.", show_default="one per core"),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Where cohorts train: local, ray (a cluster on this machine) or ray://HOST:PORT.",
        metavar="local|ray|ray://HOST:PORT",
        show_default="local; as it was in resume",
    ),
]
RandomState = Annotated[int, typer.Option(help="Seed of the search.")]
Sampler = Annotated[
    str | None,
    typer.Option(
        help="tpe, gp, cmaes, random, qmc, grid or nsgaii.",
        show_default="tpe",
        autocompletion=complete_sampler,
    ),
]
Pruner = Annotated[
    str | None,
    typer.Option(
        help="racing, median, percentile, successive_halving, hyperband, patient, threshold:SCORE, wilcoxon or none.",
        show_default="racing",
        autocompletion=complete_pruner,
    ),
]
ColumnTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="The type of a column: numeric, categorical, datetime, text or drop; may be given several times.",
        metavar="NAME=TYPE",
        show_default="by its values",
    ),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Also write the best model to this folder.", show_default=False),
]
UseEnsemble = Annotated[
    bool,
    typer.Option("--ensemble/--no-ensemble", help="Average the best trials where that predicts better."),
]
Calibrate = Annotated[
    Literal["auto"] | None,
    typer.Option(help="Calibrate the probabilities where that lowers their log loss.", show_default="no"),
]
Threshold = Annotated[
    Literal["auto"] | None,
    typer.Option(
        help="Tune the threshold of two classes where that raises a score of labels, such as f1.",
        show_default="no",
    ),
]
ShowProgress = Annotated[bool, typer.Option(help="Show progress.")]
Scratch = Annotated[
    str | None,
    typer.Option(
        help="Folder for temporary files.", metavar="FOLDER", show_default="TMPDIR, or one with room"
    ),
]
AllowIncludes = Annotated[
    list[str] | None,
    typer.Option(
        help="A folder whose files `include` in the space may name, besides that of the including file; may be given "
        "several times.",
        metavar="FOLDER",
        show_default="none",
    ),
]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        help="A package, or a type by its full name, that the model may contain besides those of automl, numpy "
        "and scikit-learn. Loading it runs its code: give only trusted ones. May be given several times.",
        metavar="PACKAGE|TYPE",
        show_default="none",
    ),
]
AllowImport = Annotated[
    list[str] | None,
    typer.Option(
        help="A package that `estimator:` in the space may name classes of, besides scikit-learn, automl, lightgbm, "
        "xgboost and catboost; may be given several times.",
        metavar="PACKAGE",
        show_default="none",
    ),
]
