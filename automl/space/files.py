"""Where spaces are: the folder that ships, files, and files that include files."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from automl.errors import Fault, SpaceError, nearest
from automl.space.parts import merge
from automl.space.raw import Faults, Place, Raw, from_python, show
from automl.space.yaml_text import MAX_BYTES, parse_yaml

__all__ = ["read_source", "shipped_folder", "shipped_names"]

_MAX_INCLUDES = 100


def shipped_folder() -> Path:
    """Return the folder of the spaces that ship: inside the package of a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "search_spaces"
    return inside if inside.is_dir() else package.parent / "search_spaces"


def shipped_names(folder: Path | None = None) -> list[str]:
    """Return the names of the spaces of a folder; by default of those that ship."""
    return sorted(path.stem for path in (folder or shipped_folder()).glob("*.yaml"))


def read_source(source: Any, faults: Faults, folder: Path | None = None) -> Raw:
    """Read a space as it was written, included files merged in.

    Parameters
    ----------
    source : str, Path or mapping
        A name of ``folder``, a path, YAML text (with a line break), or the same as a mapping.
    faults : Faults
        What is wrong with the text, but does not keep the rest from being read, is added to it.
    folder : Path, optional
        Where names are looked up.

    Raises
    ------
    SpaceError
        For what is missing, too large, broken, or included in a circle.
    """
    reader = _Files(folder or shipped_folder(), faults)
    if isinstance(source, Mapping):
        return reader.included(from_python(source, faults), Path(), ())
    if isinstance(source, str) and "\n" in source:
        return reader.included(parse_yaml(source, "<text>", faults), Path(), ())
    if isinstance(source, str | Path):
        return reader.file(reader.find(str(source), Path(), Place()), (), Place())
    rule = "must be a name, a path, a mapping or a Space"
    raise SpaceError(Fault("space", rule, type(source).__name__))


class _Files:
    def __init__(self, folder: Path, faults: Faults) -> None:
        self.folder = folder
        self.faults = faults
        self.count = 0

    def find(self, name: str, beside: Path, place: Place, word: str = "space") -> Path:
        path = beside / name
        try:
            if not Path(name).suffix and (self.folder / f"{name}.yaml").is_file():
                return self.folder / f"{name}.yaml"
            if path.is_file():
                return path
        except (OSError, ValueError):  # a name no file system takes
            pass
        rule = "must be a file, or the name of a space that ships"
        raise SpaceError(Fault(place.at(word), rule, show(name), self.near(name, path)))

    def near(self, name: str, path: Path) -> str:
        if not Path(name).suffix:
            return nearest(name, shipped_names(self.folder))
        try:
            files = {file.stem: file.name for file in sorted(path.parent.glob("*.y*ml"))}
        except (OSError, ValueError):
            return ""
        close = get_close_matches(path.stem, list(files), n=1)
        return f'Did you mean "{Path(name).parent / files[close[0]]}"?' if close else ""

    def file(self, path: Path, stack: tuple[Path, ...], place: Place) -> Raw:
        here = path.resolve()
        self.count += 1
        if here in stack:
            circle = " -> ".join(file.name for file in (*stack[stack.index(here) :], here))
            raise SpaceError(Fault(place.at("include"), "a file must not include itself", circle))
        if self.count > _MAX_INCLUDES:
            raise SpaceError(
                Fault(place.at("include"), f"must include at most {_MAX_INCLUDES} files", "more")
            )
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise SpaceError(Fault(str(path), f"must be at most {MAX_BYTES // 1000} kB", "a larger file"))
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise SpaceError(Fault(str(path), "must be readable", error.strerror or str(error))) from None
        except UnicodeDecodeError:
            raise SpaceError(Fault(str(path), "must be text in UTF-8", "other bytes")) from None
        return self.included(parse_yaml(text, str(path), self.faults), path.parent, (*stack, here))

    def included(self, raw: Raw, beside: Path, stack: tuple[Path, ...]) -> Raw:
        """Merge what a document includes under what it says itself."""
        if not raw.is_mapping or "include" not in raw.value:
            return raw
        include = raw.value["include"]
        names = include.value if include.is_list else [include]
        merged = Raw({}, raw.place)
        for name in names:
            if not isinstance(name.value, str) or not name.value:
                raise SpaceError(Fault(include.place.at("include"), "must be a file's name", show(name)))
            other = self.file(self.find(name.value, beside, name.place, "include"), stack, name.place)
            merged = _documents(merged, other)
        own = Raw({key: item for key, item in raw.value.items() if key != "include"}, raw.place)
        return _documents(merged, own)


def _documents(base: Raw, over: Raw) -> Raw:
    """Merge two documents: the later wins, but rules and starts are joined."""
    if not (base.is_mapping and over.is_mapping):
        return over
    joined = {
        key: Raw(base.value[key].value + item.value, item.place)
        for key, item in over.value.items()
        if key in ("forbid", "enqueue") and key in base.value and base.value[key].is_list and item.is_list
    }
    merged = merge(base, over)
    return Raw(merged.value | joined, merged.place)
