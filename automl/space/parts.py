"""Named parts: what stands under ``define`` is put where ``use`` names it, before anything is checked."""

from __future__ import annotations

from automl.errors import Fault, SpaceError, nearest
from automl.space.raw import BROKEN, MAX_VALUES, Faults, Raw, key_path, show
from automl.space.words import NODE_WORDS

__all__ = ["Parts", "merge"]


def merge(base: Raw, over: Raw) -> Raw:
    """Return ``base`` with what ``over`` says put in its place, sections key by key.

    A range or a choice is replaced as a whole.
    """
    if not (base.is_mapping and over.is_mapping) or NODE_WORDS & (base.value.keys() | over.value.keys()):
        return over
    return Raw(_merge_keys(base.value, over.value), over.place)


def _merge_keys(base: dict[str, Raw], over: dict[str, Raw]) -> dict[str, Raw]:
    return base | {key: merge(base[key], item) if key in base else item for key, item in over.items()}


class Parts:
    """The named parts of a space.

    Parameters
    ----------
    define : dict of Raw
        The parts by name.
    faults : Faults
        Where what is wrong is noted.
    """

    def __init__(self, define: dict[str, Raw], faults: Faults) -> None:
        self.define = define
        self.faults = faults
        self._count = 0

    def expand(self, raw: Raw, path: str, using: tuple[str, ...] = ()) -> Raw:
        """Return ``raw`` with every ``use`` replaced by the part it names."""
        self._count += 1
        if self._count > MAX_VALUES:
            rule = f"must hold at most {MAX_VALUES:,} values once every part is put where it is used"
            raise SpaceError(Fault(raw.place.at(path), rule, "more"))
        if raw.is_list:
            return Raw([self.expand(item, path, using) for item in raw.value], raw.place)
        if not raw.is_mapping:
            return raw
        own = {
            key: self.expand(item, key_path(path, key), using)
            for key, item in raw.value.items()
            if key != "use"
        }
        if "use" not in raw.value:
            return Raw(own, raw.place)
        return self._used(raw.value["use"], Raw(own, raw.place), path, using)

    def _used(self, use: Raw, own: Raw, path: str, using: tuple[str, ...]) -> Raw:
        names = use.value if use.is_list else [use]
        merged: dict[str, Raw] = {}
        for name in names:
            part = self._part(name, path, using)
            if part is None:
                continue
            if not part.is_mapping:
                if len(names) == 1 and not own.value:
                    return Raw(part.value, part.place)
                rule = "a part that is not a mapping must be used alone"
                self._fault(name, path, rule, f"{show(name)} with {', '.join(own.value) or 'other parts'}")
                continue
            merged = _merge_keys(merged, part.value)
        return Raw(_merge_keys(merged, own.value), own.place)

    def _part(self, name: Raw, path: str, using: tuple[str, ...]) -> Raw | None:
        if not isinstance(name.value, str) or name.value not in self.define:
            known = list(self.define)
            remedy = nearest(show(name), known) if known else "Nothing is defined: add a `define:` section."
            self._fault(name, path, "`use` must name a part of `define`", show(name), remedy)
            return None
        if name.value in using:
            circle = " -> ".join([*using[using.index(name.value) :], name.value])
            self._fault(name, path, "a part must not use itself", circle)
            return None
        return self.expand(self.define[name.value], path, (*using, name.value))

    def _fault(self, raw: Raw, path: str, rule: str, came: str, remedy: str = "") -> None:
        if raw.value is not BROKEN:
            self.faults.add(Fault(raw.place.at(path), rule, came, remedy))
