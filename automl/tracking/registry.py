"""Versions in MLflow's registry: description, and the aliases champion and challenger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["register"]

_CHAMPION, _CHALLENGER = "champion", "challenger"
# Versions are compared if they have these in common: metric, table with its target, folds.
_SAME = ("automl.scoring", "automl.content", "automl.folds")
_SCORE = "automl.score"


def register(
    client: MlflowClient, name: str, model: LoggedModel, run_id: str, metadata: Mapping[str, Any]
) -> None:
    """Register a model as the new champion.

    An earlier champion or challenger that has a better score on the same data and folds is the challenger then.

    Parameters
    ----------
    client : MlflowClient
        The store.
    name : str
        Name in the registry; created if missing.
    model : LoggedModel
        The model.
    run_id : str
        The run of the search.
    metadata : mapping
        Its ``score``, ``scoring``, ``content`` and ``folds`` are tags of the version.
    """
    from mlflow.exceptions import MlflowException

    target = metadata.get("target", name)
    try:
        client.create_registered_model(name, description=f"Models that predict {target}, found by automl.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A database store resolves "models:/..." in MLflow's global store, a server in its own.
    source = model.model_uri if client.tracking_uri.startswith("http") else model.artifact_location
    tags = {
        f"automl.{key}": str(metadata[key])
        for key in ("score", "scoring", "content", "folds")
        if metadata.get(key)
    }
    version = client.create_model_version(
        name,
        source=source,
        run_id=run_id,
        model_id=model.model_id,
        tags=tags,
        description=_description(name, metadata),
    )
    # As MLflow's own `register_model` does: the model's page shows its version.
    versions = json.dumps([{"name": version.name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": versions})
    with suppress(MlflowException):  # a registry without aliases
        _set_aliases(client, name, version, tags)


def _set_aliases(client: MlflowClient, name: str, version: ModelVersion, tags: Mapping[str, str]) -> None:
    rivals = [
        found for alias in (_CHAMPION, _CHALLENGER) if (found := _version(client, name, alias)) is not None
    ]
    client.set_registered_model_alias(name, _CHAMPION, version.version)
    better = [rival for rival in rivals if _is_better(rival.tags, tags)]
    if better:
        best = max(better, key=lambda rival: float(rival.tags[_SCORE]))
        client.set_registered_model_alias(name, _CHALLENGER, best.version)
    elif any(_CHALLENGER in rival.aliases for rival in rivals):
        client.delete_registered_model_alias(name, _CHALLENGER)


def _version(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException:  # there is none
        return None


def _is_better(rival: Mapping[str, str], new: Mapping[str, str]) -> bool:
    same = all(rival.get(key) == new.get(key) for key in _SAME)
    return same and _SCORE in rival and _SCORE in new and float(rival[_SCORE]) > float(new[_SCORE])


def _description(name: str, metadata: Mapping[str, Any]) -> str:
    """Return the description of a version in Markdown: scores, data, how to load it."""
    members, score, n_rows = (metadata.get(key) for key in ("members", "score", "n_rows"))
    kind = f"Average of {len(members)} models" if members else f"Pipeline of trial {metadata.get('trial')}"
    text = f"{kind} of the search `{metadata.get('study_name', '')}` for **{metadata.get('target', '')}**."
    if score is not None:
        text += f" {metadata.get('scoring')} {score:.5g} over the folds."
    if n_rows:
        text += f" Trained on {n_rows:,} rows."
    load = f'model = automl.load_model("models:/{name}@{_CHAMPION}")\nmodel.predict(table)'
    text += f"\n\n```python\n{load}\n```"
    if metadata.get("classes"):
        text += (
            "\n\n`mlflow.pyfunc.load_model` gives class probabilities by "
            '`model.predict(table, params={"predict_method": "predict_proba"})`.'
        )
    return text
