"""Size of modules, imports between them, access to private attributes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from statistics import median

import optuna
import pytest

from tests.support import ROOT
from tests.support.source import (
    Module,
    cycles,
    executed_files,
    import_graph,
    modules,
    package_graph,
    private_access,
    private_names,
)

MAX_LINES = 400
OWNERS = {"optuna": "automl.study", "mlflow": "automl.tracking"}
PRIVATE_MODULE = "automl.study.optuna_private"
RAY_MODULE = "automl.workers.ray_connection"


@pytest.fixture(scope="module")
def package():
    return modules(ROOT)


def test_modules_have_at_most_400_lines(package):
    assert {name: one.n_lines for name, one in package.items() if one.n_lines > MAX_LINES} == {}


def test_search_loop_has_at_most_200_lines(package):
    assert package["automl.search.loop"].n_lines <= 200


def test_modules_median_length_is_100_to_200_lines(package):
    assert 100 <= median(one.n_lines for one in package.values() if not one.is_package) <= 200


def test_imports_have_no_cycle(package):
    assert cycles(import_graph(package)) == []


def test_packages_have_no_cycle(package):
    graph = package_graph(package)
    graph.pop("automl", None)  # its lazy names are annotated below TYPE_CHECKING
    assert cycles({name: targets - {"automl"} for name, targets in graph.items()}) == []


def test_cycles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set()}
    assert cycles(graph) == [["a", "b", "c"]]


def test_training_step_runs_at_most_10_files_and_2000_lines():
    step, _ = executed_files(ROOT)
    assert len(step) <= 10, step
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in step) <= 2000


@pytest.mark.parametrize("library", OWNERS)
def test_library_is_imported_by_one_package(package, library):
    found = {
        f"{name}:{one.line}"
        for name, module in package.items()
        for one in module.imports()
        if one.target.partition(".")[0] == library and module.package != OWNERS[library]
    }
    assert found == set()


def test_ray_is_imported_by_one_module(package):
    found = {
        name
        for name, module in package.items()
        if any(one.target.partition(".")[0] == "ray" for one in module.imports())
    }
    assert found == {RAY_MODULE}


def test_contract_about_ray_covers_every_module(package):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one.get("forbidden_modules") == ["ray"]]
    sources = contract["source_modules"]
    covered = {name for name in package for one in sources if name == one or name.startswith(f"{one}.")}
    assert package.keys() - covered == {"automl"}
    assert contract["ignore_imports"] == [f"{RAY_MODULE} -> ray"]


def test_optuna_private_attributes_are_in_one_module(package):
    private = private_names(Path(optuna.__file__).parent)
    found = {
        f"{name}:{line} {attribute}"
        for name, module in package.items()
        if module.package == "automl.study" and name != PRIVATE_MODULE
        for line, attribute in private_access(module)
        if attribute in private
    }
    found |= {
        f"{name}:{one.line} {one.target}"
        for name, module in package.items()
        if name != PRIVATE_MODULE
        for one in module.imports()
        if one.target.startswith("optuna.") and "._" in one.target
    }
    assert found == set()


def test_private_names_stay_in_their_package(package):
    found = {
        f"{name}:{one.line} {one.target}"
        for name, module in package.items()
        for one in module.imports()
        if one.target.startswith("automl.")
        and any(part.startswith("_") and not part.startswith("__") for part in one.target.split("."))
        and ".".join(one.target.split(".")[:2]) != module.package
    }
    assert found == set()


def test_packages_are_used_through_their_init(package):
    found = {
        f"{name}:{one.line} {one.target}"
        for name, module in package.items()
        for one in module.imports()
        if (target := _module_of(one.target, package)) is not None
        and target.count(".") >= 2
        and package[target].package != module.package
    }
    assert found == set()


def _module_of(target: str, package: dict[str, Module]) -> str | None:
    parent, _, name = target.rpartition(".")
    if target in package and name not in _exported(package, parent):
        return target
    return parent if parent in package else None


def _exported(package: dict[str, Module], name: str) -> set[str]:
    """Return the names that the package's ``__init__`` imports: they hide modules of the same name."""
    if name not in package or not package[name].is_package:
        return set()
    return {one.target.rpartition(".")[2] for one in package[name].imports()}
