# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a mapping compiled to Blender's own drivers on the camera's parameters, and back.

Drivers, because they are evaluated together with the render: a rig that is hidden from it is not.
All expressions are simple ones, which Blender runs with automatic scripts switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy

from ..camera import mapping_rows
from ..camera.extra_parameters import data_path, restore, schema_of, set_value
from ..camera.mapping_rows import (
    PhotorigMappingRow,
    RigRow,
    add_row,
    changing,
    not_compiling,
    remove_rows,
    row_of,
)
from ..camera.properties import neutral_of, rest_values, set_neutral
from ..shared.errors import InputError
from ..shared.mapping.expression import Term, expression_of, terms_of, variable_names
from ..shared.mapping.rows import (
    AS_SET,
    BODY,
    BONE,
    CAMERA,
    OBJECT,
    PROPERTY,
    SHAPE_KEY,
    TURN,
    VALUE,
    MappingRow,
    Source,
    by_parameter,
)
from . import driver_targets as targets
from .driver_targets import SINGLE, Target, curve_at, key_path, read_target, write_driver
from .rig import is_off
from .turn_drivers import TurnSource, copies_of, read_turn, viewer_of, write_turns

_SUMS: dict[str, Callable[[int], tuple[float, str]]] = {
    "SUM": lambda _count: (1.0, "ADD"),
    "AVERAGE": lambda count: (1.0 / count, "ADD"),
    "MAX": lambda _count: (1.0, "MAX"),
    "MIN": lambda _count: (1.0, "MIN"),
}
"""Drivers without an expression: amount of each variable, and how they combine."""


def compile_mapping(camera: bpy.types.Camera) -> tuple[str, ...]:
    """Make the drivers say what the rows say; drivers that nothing changed for stay as they are.

    A row that cannot be used gets its ``problem`` and is left out. A parameter that no row drives
    any more goes back to rest, or to the photo in absolute mode.

    Returns:
        Ids of the parameters that are driven now.
    """
    settings, schema = camera.photorig, schema_of(camera)
    _follow_renames(camera)
    before = _mapped_before(camera) & set(schema.ids)
    usable = usable_items(settings)
    copies = copies_of(camera)
    angles = _turn_targets(camera, usable)
    driven = set()
    for parameter, items in usable.items():
        try:
            expression, guarding = _expression_of(items, neutral_of(settings).get(parameter, 0.0))
        except InputError as error:
            for item in items:
                item.problem = str(error)
            continue
        variables = {
            name: angles.get(item.path_from_id()) or _target_of(item)
            for item, name in zip(items, variable_names(len(items)), strict=True)
        }
        restore(camera, schema.parameters[schema.index[parameter]])
        write_driver(camera, data_path(parameter), expression, variables | guarding)
        for item, name in zip(items, variable_names(len(items)), strict=True):
            item.compiled, item.compiled_control = f"{parameter} {name}", item.control
        driven.add(parameter)
    _release(camera, before - driven)
    settings.mapped_parameters = " ".join(name for name in schema.ids if name in driven)
    for other in copies:  # what they shared is seen from one of them only
        if other.is_editable:
            compile_mapping(other)
    return tuple(settings.mapped_parameters.split())


def _turn_targets(
    camera: bpy.types.Camera, usable: dict[str, list[PhotorigMappingRow]]
) -> dict[str, Target]:
    """What the rows of turns read, by the rows' paths; their own drivers are written."""
    turns = [item for items in usable.values() for item in items if item.kind == TURN]
    read = write_turns(camera, [TurnSource(row_of(item).source, item.owner) for item in turns])
    return {item.path_from_id(): target for item, target in zip(turns, read, strict=True)}


def _expression_of(
    items: Sequence[PhotorigMappingRow], neutral: float
) -> tuple[str, dict[str, Target]]:
    """The expression of a parameter's rows, and what its guards read. Raises InputError."""
    rows = [row_of(item) for item in items]
    guards, guarding = _guards_of(items)
    try:
        return expression_of(rows, neutral, guards), guarding
    except InputError:
        # Too long with its guards: what is muted or disabled now is left out instead.
        rows = [
            replace(r, amount=0.0) if is_off(i) else r for r, i in zip(rows, items, strict=True)
        ]
        return expression_of(rows, neutral), {}


def _mapped_before(camera: bpy.types.Camera) -> set[str]:
    """Ids of the parameters that have drivers from rows; an override has its library's as well."""
    override = camera.override_library
    library = override.reference if override is not None else None
    of_library = library.photorig.mapped_parameters if library is not None else ""
    return {*camera.photorig.mapped_parameters.split(), *of_library.split()}


def _follow_renames(camera: bpy.types.Camera) -> None:
    """Give rows the names that their bones and shape keys have now.

    Blender renames what drivers read; a row that kept the old name would lose its driver.
    """
    for item in camera.photorig.mapping:
        if not item.compiled or item.control != item.compiled_control:
            continue
        parameter, name = item.compiled.split()
        curve = curve_at(camera, data_path(parameter))
        variable = curve.driver.variables.get(name) if curve is not None else None
        target = read_target(variable) if variable is not None else None
        read = read_turn if item.kind == TURN else source_of
        place = read(camera, target) if target is not None else None
        if place is None or (place[0].kind, place[1]) != (item.kind, item.owner):
            continue
        if place[0].control != item.control:
            with not_compiling():
                item.control = place[0].control


def usable_items(settings: bpy.types.PropertyGroup) -> dict[str, list[PhotorigMappingRow]]:
    """The items that drive something, by parameter; the others get a problem, or are muted."""
    any_solo = any(item.solo and not item.mute for item in settings.mapping)
    usable: dict[str, list[PhotorigMappingRow]] = {}
    for item in settings.mapping:
        item.compiled = ""
        problem = problem_of(item)
        if item.problem != problem:
            item.problem = problem
        is_heard = not item.mute and (item.solo or not any_solo)
        if settings.use_mapping and is_heard and not problem:
            usable.setdefault(item.parameter, []).append(item)
    return usable


def problem_of(item: PhotorigMappingRow) -> str:
    """Why a row can drive nothing, "" where it can."""
    try:
        row_of(item).check(schema_of(item.id_data))
    except InputError as error:
        return str(error)
    if item.owner is None:
        return "The row has no source object"
    if item.kind == SHAPE_KEY:
        keys = getattr(item.owner.data, "shape_keys", None)
        if keys is None or item.control not in keys.key_blocks:
            return f"{item.owner.name!r} has no shape key {item.control!r}"
    elif item.kind in (BONE, TURN) and item.control:
        if item.owner.pose is None or item.control not in item.owner.pose.bones:
            return f"{item.owner.name!r} has no bone {item.control!r}"
    elif item.kind == PROPERTY:
        try:
            float(item.owner.path_resolve(item.control))
        except (ValueError, TypeError):
            return f"{item.owner.name!r} has no number {item.control!r}"
    if item.kind == TURN and item.space == CAMERA and viewer_of(item.id_data) is None:
        return "No object shows this camera"
    return ""


def _release(camera: bpy.types.Camera, parameters: set[str]) -> None:
    rest = rest_values(camera.photorig)
    for parameter in parameters:
        camera.driver_remove(data_path(parameter))
        set_value(camera, parameter, rest[parameter])


def _target_of(item: PhotorigMappingRow) -> Target:
    """What the variable of a row reads, of all kinds but turns."""
    if item.kind == SHAPE_KEY:
        return Target(SINGLE, item.owner, key_path(item.control))
    if item.kind in (BONE, OBJECT):
        bone = item.control if item.kind == BONE else ""
        # With what constraints do to the bone, as it looks in the viewport, unless asked not to.
        space = targets.AS_SET if item.space == AS_SET else targets.LOCAL
        return Target(targets.TRANSFORM, item.owner, "", bone, item.channel, item.order, space)
    return Target(SINGLE, item.owner, item.control)


def _guards_of(items: Sequence[PhotorigMappingRow]) -> tuple[list[str], dict[str, Target]]:
    """Sums of variables while which are not 0 a row counts as 0, and what these read.

    The viewport shows nothing of a muted shape key, and nothing of a mesh that is disabled in it.
    """
    sums, variables = [], {}
    owners = list(dict.fromkeys(item.owner for item in items))
    for number, item in enumerate(items):
        if item.kind != SHAPE_KEY:
            sums.append("")
            continue
        hidden = f"h{owners.index(item.owner)}"
        variables[f"m{number}"] = Target(SINGLE, item.owner, key_path(item.control, "mute"))
        variables[hidden] = Target(SINGLE, item.owner, "hide_viewport")
        sums.append(f"m{number}+{hidden}")
    return sums, variables


@dataclass(frozen=True)
class ReadMapping:
    """What drivers say, as rows.

    Attributes:
        rows: in the order of the schema's parameters.
        neutral: offset by parameter, where it is not zero.
        unreadable: ids of driven parameters that no rows can stand for.
    """

    rows: tuple[RigRow, ...]
    neutral: dict[str, float]
    unreadable: tuple[str, ...]


def read_drivers(camera: bpy.types.Camera) -> ReadMapping:
    """The rows that the camera's drivers stand for, whoever made them."""
    rows: list[RigRow] = []
    neutral: dict[str, float] = {}
    unreadable: list[str] = []
    for parameter in schema_of(camera).ids:
        curve = curve_at(camera, data_path(parameter))
        if curve is None:
            continue
        read = _read_driver(camera, curve.driver, parameter)
        if read is None:
            unreadable.append(parameter)
            continue
        rows += read[0]
        if read[1]:
            neutral[parameter] = read[1]
    return ReadMapping(tuple(rows), neutral, tuple(unreadable))


def _read_driver(
    camera: bpy.types.Camera, driver: bpy.types.Driver, parameter: str
) -> tuple[list[RigRow], float] | None:
    names = [variable.name for variable in driver.variables]
    if driver.type in _SUMS and names:
        amount, combine = _SUMS[driver.type](len(names))
        read = [Term(name, amount=amount, combine=combine) for name in names], 0.0
    else:
        found = terms_of(driver.expression)
        if found is None:
            return None
        read = found
    rows = []
    for term in read[0]:
        variable = driver.variables.get(term.variable)
        target = None if variable is None else read_target(variable)
        place = None if target is None else source_of(camera, target)
        if place is None:
            return None
        source, owner = place
        row = MappingRow(
            source,
            parameter,
            term.start,
            term.end,
            term.amount,
            term.invert,
            term.clamp,
            term.combine,
        )
        rows.append(RigRow(row, owner))
    return rows, read[1]


def source_of(camera: bpy.types.Camera, target: Target) -> tuple[Source, bpy.types.Object] | None:
    """The source that a variable reads, None where no row can name it."""
    if target.kind == targets.TRANSFORM:
        if target.space == targets.WORLD:
            return None
        kind, space = (BONE if target.bone else OBJECT), BODY
        if target.space == targets.AS_SET:
            space = AS_SET
        name, channel = target.id.name, target.channel
        return Source(kind, name, target.bone, channel, target.order, space), target.id
    if isinstance(target.id, bpy.types.Key):
        owner = _owner_of_keys(target.id)
        name = _key_name(target.path, target.id, "")
        if owner is None or name is None:
            return None
        return Source(SHAPE_KEY, owner.name, name), owner
    if isinstance(target.id, bpy.types.Object):
        keys = getattr(target.id.data, "shape_keys", None)
        name = None if keys is None else _key_name(target.path, keys, "data.shape_keys.")
        if name is not None:
            return Source(SHAPE_KEY, target.id.name, name), target.id
        return Source(PROPERTY, target.id.name, target.path, VALUE), target.id
    return _turn_of(camera, target)


def _turn_of(camera: bpy.types.Camera, target: Target) -> tuple[Source, bpy.types.Object] | None:
    """The source of one of our angles; frame and rest are those of the rows that it was made of."""
    read = read_turn(camera, target)
    if read is None:
        return None
    source, owner = read
    for item in camera.photorig.mapping:
        said = (item.kind, item.owner, item.control, item.space)
        if said == (TURN, owner, source.control, source.space):
            return replace(source, frame=tuple(item.frame), rest=tuple(item.rest)), owner
    return None


def _owner_of_keys(keys: bpy.types.Key) -> bpy.types.Object | None:
    owners: Any = (
        item for item in bpy.data.objects if getattr(item.data, "shape_keys", None) == keys
    )
    return next(owners, None)


def _key_name(path: str, keys: bpy.types.Key, way: str) -> str | None:
    for block in keys.key_blocks:
        if path == f'{way}key_blocks["{bpy.utils.escape_identifier(block.name)}"].value':
            return str(block.name)
    return None


def rows_from_drivers(camera: bpy.types.Camera) -> ReadMapping:
    """Replace the rows of every parameter whose driver can be read by what the driver says."""
    read = read_drivers(camera)
    parameters = set(by_parameter(rig_row.row for rig_row in read.rows))
    with changing(camera) as settings:
        remove_rows(settings, parameters)
        for rig_row in read.rows:
            add_row(settings, rig_row)
        kept = {
            name: value for name, value in neutral_of(settings).items() if name not in parameters
        }
        set_neutral(settings, kept | read.neutral)
        settings.use_mapping = True
    return read


def register() -> None:
    mapping_rows.set_compiler(compile_mapping)


def unregister() -> None:
    mapping_rows.set_compiler(None)
