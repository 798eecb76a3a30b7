"""Presets: which controls of a kind of rig do what to which parameter, as JSON; and how well a rig
fits one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files.strict_json import parse_json
from ..files.text_files import read_any_text
from ..parameters.schema import ParameterSchema
from .control_names import ControlName, Part, control_name, parts_of, without_copy_number
from .rows import ADD, ANGLES, AS_SET, BODY, BONE, CHANNELS, COMBINATIONS, VALUE

FORMAT, VERSION = "photorig.mapping-preset", 1
TURNS = ("TURN_X", "TURN_Y", "TURN_Z")
MOVES = ("MOVE_X", "MOVE_Y", "MOVE_Z")
"""Channels of a preset that hold on any rig: turns in degrees about, moves in lengths of the bone
along the axes of a character whose face looks along -Y with +Z up."""
_PRESET_CHANNELS = (*CHANNELS, *TURNS, *MOVES, *ANGLES)
_MAXIMUM_BYTES, _MAXIMUM_ROWS = 1 << 20, 5000
_GREATEST, _MOST_NAMES = 1e30, 200
_SHARED = 3
"""Names from which on what stands before or behind all of them is no part of them."""
_SUFFIXES = {
    *("mesh", "geo", "geom", "shape", "key", "div", "v", "ver", "version", "hd"),
    *("jnt", "joint", "bone", "bn"),
}
"""What stands behind names and is no part of them, with or without a number."""
_OFTEN_COMPLETE = 0.5
_HINT = "Choose a mapping preset that Photorig has exported."


_OPTIONAL = ("channel", "start", "end", "amount", "invert", "clamp", "combine", "space")


@dataclass(frozen=True)
class PresetRow:
    """What a control does to a parameter.

    Attributes:
        controls: names that the control may have; a rig spells them as it likes.
        parameter: id in the schema.
        channel: VALUE for a shape key or property; for a bone one of mapping.CHANNELS in its
            armature's units or radians, of TURNS and MOVES, or of mapping.ANGLES in degrees.
        space: BODY, or AS_SET for what an animator has set, without what constraints do.
        start, end, amount, invert, clamp, combine: as in a MappingRow.
    """

    controls: tuple[str, ...]
    parameter: str
    channel: str = VALUE
    start: float = 0.0
    end: float = 1.0
    amount: float = 1.0
    invert: bool = False
    clamp: bool = False
    combine: str = ADD
    space: str = BODY

    @property
    def is_bone(self) -> bool:
        return self.channel != VALUE

    def to_json(self) -> dict[str, Any]:
        """Without what is as usual."""
        control = self.controls[0] if len(self.controls) == 1 else list(self.controls)
        entry: dict[str, Any] = {"control": control, "parameter": self.parameter}
        usual = PresetRow((), "")
        for name in _OPTIONAL:
            if getattr(self, name) != getattr(usual, name):
                entry[name] = getattr(self, name)
        return entry


@dataclass(frozen=True)
class Preset:
    """A way to map a kind of rig.

    Attributes:
        id: name of its file.
        label, description: for a person.
        rows: in the order in which they join.
        head_bones: names that the head bone has in such rigs, where it is not an usual one.
    """

    id: str
    label: str
    description: str
    rows: tuple[PresetRow, ...]
    head_bones: tuple[str, ...] = ()

    @cached_property
    def controls(self) -> tuple[tuple[str, ...], ...]:
        """The controls by all their names, each once."""
        return tuple(dict.fromkeys(row.controls for row in self.rows))

    def known_to(self, schema: ParameterSchema) -> Preset:
        """Without the rows for parameters that are not in a schema; they may be a newer model's."""
        rows = tuple(row for row in self.rows if row.parameter in schema.index)
        return self if len(rows) == len(self.rows) else replace(self, rows=rows)

    def to_json(self) -> dict[str, Any]:
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "id": self.id}
        head |= {"label": self.label, "description": self.description}
        if self.head_bones:
            head["head_bones"] = list(self.head_bones)
        return head | {"rows": [row.to_json() for row in self.rows]}

    @staticmethod
    def from_json(data: Any) -> Preset:
        """Inverse of to_json; it may have rows for parameters that only a newer model knows.

        Raises:
            InputError: this is no preset, or of a newer version.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError("This is no mapping preset", _HINT)
        if data.get("version") != VERSION:
            raise InputError(
                f"This preset has version {data.get('version')!r}, expected {VERSION}",
                "Update Photorig.",
            )
        rows = data.get("rows")
        if not isinstance(rows, list) or len(rows) > _MAXIMUM_ROWS:
            raise InputError("The preset has no list of rows", _HINT)
        read = [_read_row(number, entry) for number, entry in enumerate(rows, start=1)]
        return Preset(
            id=_text(data, "id"),
            label=_text(data, "label"),
            description=_text(data, "description", ""),
            rows=tuple(read),
            head_bones=_texts(data.get("head_bones", [])),
        )


def read_preset(path: Path) -> Preset:
    """Read a preset file. Raises InputError, which names the file."""
    text = read_any_text(path, _HINT, _MAXIMUM_BYTES)
    try:
        return Preset.from_json(parse_json(text, _MAXIMUM_BYTES))
    except ValueError as error:
        raise InputError(f"{path.name!r} is no JSON file", _HINT) from error
    except InputError as error:
        raise InputError(f"{path.name!r}: {error.message}", error.hint) from error


def read_presets(*folders: Path) -> dict[str, Preset]:
    """The presets in some folders by id; one of a later folder replaces one before it.

    A damaged file is passed over: it must not take the others away.
    """
    presets = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                preset = read_preset(path)
            except InputError:
                continue
            presets[preset.id] = preset
    return presets


def _read_row(number: int, entry: Any) -> PresetRow:
    try:
        control = entry["control"]
        row = PresetRow(
            controls=_texts([control] if isinstance(control, str) else control),
            parameter=_text(entry, "parameter"),
            channel=_text(entry, "channel", VALUE),
            start=_number(entry, "start", 0.0),
            end=_number(entry, "end", 1.0),
            amount=_number(entry, "amount", 1.0),
            invert=_flag(entry, "invert"),
            clamp=_flag(entry, "clamp"),
            combine=_text(entry, "combine", ADD),
            space=_text(entry, "space", BODY),
        )
        # As Blender will see it, which keeps fewer digits.
        if not row.controls or np.float32(row.start) == np.float32(row.end):
            raise ValueError
        if row.channel not in _PRESET_CHANNELS or row.combine not in COMBINATIONS:
            raise ValueError
        if row.space not in (BODY, AS_SET):
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"Row {number} of the preset cannot be read", _HINT) from error
    return row


def _text(entry: dict[str, Any], name: str, default: str | None = None) -> str:
    value = entry.get(name, default)
    if not isinstance(value, str) or len(value) > 500:
        raise InputError(f"The preset has no {name}", _HINT)
    return value


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > _MOST_NAMES:
        raise InputError("The preset has a list that is none of names", _HINT)
    if not all(isinstance(value, str) and len(value) <= 500 for value in values):
        raise InputError("The preset has a list that is none of names", _HINT)
    return tuple(values)


def _number(entry: dict[str, Any], name: str, default: float) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(name)
    # Blender's own numbers are float32: beyond them is infinity.
    if not abs(value) <= _GREATEST:
        raise ValueError(name)
    return float(value)


def _flag(entry: dict[str, Any], name: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(name)
    return value


@dataclass(frozen=True)
class Candidate:
    """A control that a rig has.

    Attributes:
        kind: SHAPE_KEY, BONE or PROPERTY.
        owner: name of the object.
        control: as in a mapping.Source.
        label: the name to compare; a property's path without the way there.
    """

    kind: str
    owner: str
    control: str
    label: str


@dataclass(frozen=True)
class Match:
    """A row of a preset and the control of the rig that it fits.

    Attributes:
        share: part of the row's amount, less than 1 where the rig splits a control into sides.
    """

    row: PresetRow
    candidate: Candidate
    share: float = 1.0


@dataclass(frozen=True)
class Coverage:
    """How far a rig has what a preset knows.

    Attributes:
        matches: in the preset's order.
        missing: first names of the controls that the rig lacks.
    """

    preset: Preset
    matches: tuple[Match, ...]
    missing: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Ids of the parameters that would be driven, each once."""
        return tuple(dict.fromkeys(match.row.parameter for match in self.matches))

    @property
    def controls(self) -> set[tuple[str, str, str]]:
        """Kind, owner and name of what would drive them."""
        return {(m.candidate.kind, m.candidate.owner, m.candidate.control) for m in self.matches}

    @property
    def owners(self) -> tuple[str, ...]:
        """Names of the objects that have them, the one that has most first."""
        counts = Counter(owner for _, owner, _ in self.controls)
        return tuple(name for name, _ in counts.most_common())

    @property
    def share(self) -> float:
        """Part of the preset's controls that the rig has, 0 to 1."""
        count = len(self.preset.controls)
        return (count - len(self.missing)) / count if count else 0.0

    @property
    def summary(self) -> str:
        """As "ARKit: 49 of 52 controls, 49 parameters"."""
        count = len(self.preset.controls)
        found = count - len(self.missing)
        driven = len(self.parameters)
        return f"{self.preset.label}: {found} of {count} controls, {driven} parameters"


def coverage_of(preset: Preset, candidates: Sequence[Candidate]) -> Coverage:
    """Find a preset's controls in a rig, however it spells them.

    Args:
        candidates: those that come first win where several have the same name.
    """
    rig = _Rig(preset, candidates)
    matches: list[Match] = []
    found: set[tuple[str, ...]] = set()
    for row in preset.rows:
        fitting = rig.find(row)
        matches += [Match(row, candidate, 1 / len(fitting)) for candidate in fitting]
        if fitting:
            found.add(row.controls)
    missing = tuple(controls[0] for controls in preset.controls if controls not in found)
    return Coverage(preset, tuple(matches), missing)


def detect(presets: Iterable[Preset], candidates: Sequence[Candidate]) -> list[Coverage]:
    """The presets that fit a rig at all, the one that drives most parameters first."""
    coverages = [coverage_of(preset, candidates) for preset in presets]
    fitting = [coverage for coverage in coverages if coverage.matches]
    return sorted(fitting, key=lambda coverage: (-len(coverage.parameters), -coverage.share))


def suggested(coverages: Sequence[Coverage]) -> list[Coverage]:
    """The best, and what goes with it: presets for controls of their own that the rig has too.

    Expressions, visemes and eye bones are often there together, and add up.
    """
    chosen: list[Coverage] = []
    taken: set[tuple[str, str, str]] = set()
    for coverage in coverages:
        is_whole = not chosen or coverage.share >= _OFTEN_COMPLETE
        if is_whole and not coverage.controls & taken:
            chosen.append(coverage)
            taken |= coverage.controls
    return chosen


class _Rig:
    """A rig's controls by their names in normal form; see control_names.py.

    A control is known by its name, or by what remains of it without a number that Blender gave to
    a copy, or without what stands before or behind the names of many controls: programs write the
    mesh's or the panel's name there (``head_lod0_mesh__jawOpen``, ``jawOpen_v2``).
    """

    def __init__(self, preset: Preset, candidates: Sequence[Candidate]) -> None:
        names = {(row.is_bone, control_name(name)) for row in preset.rows for name in row.controls}
        wanted = {(is_bone, name.squeezed) for is_bone, name in names}
        frames = _frames(wanted, candidates, min(_SHARED, len(preset.controls)))
        self._exact: dict[tuple[bool, ControlName], Candidate] = {}
        self._squeezed: dict[tuple[bool, ControlName], Candidate] = {}
        for candidate in candidates:
            self._exact.setdefault(
                (candidate.kind == BONE, control_name(candidate.label)), candidate
            )
        for candidate in candidates:
            name = control_name(without_copy_number(candidate.label))
            self._exact.setdefault((candidate.kind == BONE, name), candidate)
            self._squeezed.setdefault((candidate.kind == BONE, name.squeezed), candidate)
        for candidate in candidates:
            for part in _parts(candidate):
                if (part.prefix, part.suffix) in frames:
                    self._squeezed.setdefault((candidate.kind == BONE, part.rest), candidate)

    def _named(self, is_bone: bool, name: ControlName) -> Candidate | None:
        exact = self._exact.get((is_bone, name))
        return exact or self._squeezed.get((is_bone, name.squeezed))

    def find(self, row: PresetRow) -> list[Candidate]:
        """The control itself, or else its two sides where the preset does not split it."""
        names = [control_name(control) for control in row.controls]
        for name in names:
            whole = self._named(row.is_bone, name)
            if whole is not None:
                return [whole]
        for name in names:
            if name.sides:
                continue
            sides = [ControlName(name.words, (side,)) for side in ("left", "right")]
            halves = [self._named(row.is_bone, side) for side in sides]
            if any(halves):
                return [half for half in halves if half is not None]
        return []


def _parts(candidate: Candidate) -> tuple[Part, ...]:
    return parts_of(without_copy_number(candidate.label))


def _frames(
    wanted: set[tuple[bool, ControlName]], candidates: Sequence[Candidate], enough: int
) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The words before and behind wanted names that several controls have in common.

    Args:
        enough: controls that must have the same words before them.
    """
    counts: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for candidate in candidates:
        for part in _parts(candidate):
            if (candidate.kind == BONE, part.rest) in wanted:
                counts[part.prefix, part.suffix] += 1
                break
    return {
        (prefix, suffix)
        for (prefix, suffix), count in counts.items()
        if count >= (_SHARED if suffix else enough)
        or (not prefix and all(word in _SUFFIXES or word.isdigit() for word in suffix))
    }
