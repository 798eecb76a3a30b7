# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a mapping compiled to Blender's own drivers on the camera's parameters, and back.

Drivers, because they are evaluated together with the render: a rig that is hidden from it is not.
All expressions are simple ones, which Blender runs with automatic scripts switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .compat import plain_driver
from .extra_parameters import data_path, restore, schema_of, set_value
from .mapping_rows import (
    PhotorigMappingRow,
    RigRow,
    add_row,
    changing,
    not_compiling,
    remove_rows,
    row_of,
)
from .properties import neutral_of, rest_values, set_neutral
from .shared.errors import InputError
from .shared.mapping import BONE, PROPERTY, SHAPE_KEY, VALUE, MappingRow, Source, by_parameter
from .shared.mapping_expression import Term, expression_of, terms_of, variable_names

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
    driven = set()
    for parameter, items in _usable_items(settings).items():
        rows = [row_of(item) for item in items]
        try:
            expression = expression_of(rows, neutral_of(settings).get(parameter, 0.0))
        except InputError as error:
            for item in items:
                item.problem = str(error)
            continue
        targets = [_target_of(item) for item in items]
        restore(camera, schema.parameters[schema.index[parameter]])
        _write_driver(camera, parameter, expression, targets)
        for item, name in zip(items, variable_names(len(items)), strict=True):
            item.compiled, item.compiled_control = f"{parameter} {name}", item.control
        driven.add(parameter)
    _release(camera, before - driven)
    settings.mapped_parameters = " ".join(name for name in schema.ids if name in driven)
    return tuple(settings.mapped_parameters.split())


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
        curve = _curve_at(camera, data_path(parameter))
        variable = curve.driver.variables.get(name) if curve is not None else None
        target = _read_target(variable) if variable is not None else None
        place = _source_of(target) if target is not None else None
        if place is None or (place[0].kind, place[1]) != (item.kind, item.owner):
            continue
        if place[0].control != item.control:
            with not_compiling():
                item.control = place[0].control


def _usable_items(settings: bpy.types.PropertyGroup) -> dict[str, list[PhotorigMappingRow]]:
    """The items to compile by parameter; the others get a problem, or are muted."""
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
    elif item.kind == BONE:
        if item.owner.pose is None or item.control not in item.owner.pose.bones:
            return f"{item.owner.name!r} has no bone {item.control!r}"
    else:
        try:
            float(item.owner.path_resolve(item.control))
        except (ValueError, TypeError):
            return f"{item.owner.name!r} has no number {item.control!r}"
    return ""


def _release(camera: bpy.types.Camera, parameters: set[str]) -> None:
    rest = rest_values(camera.photorig)
    for parameter in parameters:
        camera.driver_remove(data_path(parameter))
        set_value(camera, parameter, rest[parameter])


@dataclass(frozen=True)
class _Target:
    """What a driver's variable reads.

    Attributes:
        kind: "SINGLE_PROP" or "TRANSFORMS".
        id: the data-block.
        path: data path of a single property.
        bone, channel, order: of a bone's channel.
    """

    kind: str
    id: bpy.types.ID
    path: str = ""
    bone: str = ""
    channel: str = ""
    order: str = "AUTO"


def _target_of(item: PhotorigMappingRow) -> _Target:
    if item.kind == SHAPE_KEY:
        name = bpy.utils.escape_identifier(item.control)
        return _Target("SINGLE_PROP", item.owner.data.shape_keys, f'key_blocks["{name}"].value')
    if item.kind == BONE:
        return _Target(
            "TRANSFORMS", item.owner, bone=item.control, channel=item.channel, order=item.order
        )
    return _Target("SINGLE_PROP", item.owner, item.control)


def _write_driver(
    camera: bpy.types.Camera, parameter: str, expression: str, targets: Sequence[_Target]
) -> None:
    path = data_path(parameter)
    present = _curve_at(camera, path)
    if present is not None and _says(present, expression, targets):
        return
    driver = plain_driver(camera, path).driver
    for name, target in zip(variable_names(len(targets)), targets, strict=True):
        # A property that a script made unnoticed would be missing at the first evaluation, and
        # Blender never again tries a driver that failed.
        target.id.update_tag()
        variable = driver.variables.new()
        variable.name, variable.type = name, target.kind
        slot = variable.targets[0]
        if target.kind == "SINGLE_PROP":
            slot.id_type = target.id.id_type
            slot.id = target.id
            slot.data_path = target.path
        else:
            slot.id, slot.bone_target = target.id, target.bone
            # With what constraints do to the bone, as it looks in the viewport.
            slot.transform_space = "LOCAL_SPACE"
            slot.transform_type, slot.rotation_mode = target.channel, target.order
    driver.type = "SCRIPTED"
    driver.expression = expression


def _curve_at(camera: bpy.types.Camera, path: str) -> bpy.types.FCurve | None:
    animation = camera.animation_data
    return None if animation is None else animation.drivers.find(path)


def _says(curve: bpy.types.FCurve, expression: str, targets: Sequence[_Target]) -> bool:
    driver = curve.driver
    is_plain = not len(curve.modifiers) and not len(curve.keyframe_points)
    if not (driver.is_valid and is_plain) or driver.type != "SCRIPTED":
        return False
    if driver.expression != expression:
        return False
    return [_read_target(variable) for variable in driver.variables] == list(targets)


def _read_target(variable: bpy.types.DriverVariable) -> _Target | None:
    if len(variable.targets) != 1 or variable.targets[0].id is None:
        return None
    slot = variable.targets[0]
    if variable.type == "SINGLE_PROP":
        return _Target("SINGLE_PROP", slot.id, slot.data_path)
    if variable.type != "TRANSFORMS" or slot.transform_space != "LOCAL_SPACE":
        return None
    channel, order = slot.transform_type, slot.rotation_mode
    return _Target("TRANSFORMS", slot.id, "", slot.bone_target, channel, order)


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
        curve = _curve_at(camera, data_path(parameter))
        if curve is None:
            continue
        read = _read_driver(curve.driver, parameter)
        if read is None:
            unreadable.append(parameter)
            continue
        rows += read[0]
        if read[1]:
            neutral[parameter] = read[1]
    return ReadMapping(tuple(rows), neutral, tuple(unreadable))


def _read_driver(driver: bpy.types.Driver, parameter: str) -> tuple[list[RigRow], float] | None:
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
        target = None if variable is None else _read_target(variable)
        place = None if target is None else _source_of(target)
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


def _source_of(target: _Target) -> tuple[Source, bpy.types.Object] | None:
    """The source that a variable reads, None where no row can name it."""
    if target.kind == "TRANSFORMS":
        if not target.bone:
            return None
        source = Source(BONE, target.id.name, target.bone, target.channel, target.order)
        return source, target.id
    if isinstance(target.id, bpy.types.Key):
        owner = _owner_of_keys(target.id)
        name = _key_name(target.path, target.id)
        if owner is None or name is None:
            return None
        return Source(SHAPE_KEY, owner.name, name), owner
    if isinstance(target.id, bpy.types.Object):
        return Source(PROPERTY, target.id.name, target.path, VALUE), target.id
    return None


def _owner_of_keys(keys: bpy.types.Key) -> bpy.types.Object | None:
    owners: Any = (
        item for item in bpy.data.objects if getattr(item.data, "shape_keys", None) == keys
    )
    return next(owners, None)


def _key_name(path: str, keys: bpy.types.Key) -> str | None:
    for block in keys.key_blocks:
        if path == f'key_blocks["{bpy.utils.escape_identifier(block.name)}"].value':
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


@persistent
def _compile_overrides(*_arguments: object) -> None:
    """Another file was opened: Blender keeps the rows of overridden cameras, not their drivers."""
    for camera in bpy.data.cameras:
        if camera.override_library is not None and len(camera.photorig.mapping):
            compile_mapping(camera)


def register() -> None:
    bpy.app.handlers.load_post.append(_compile_overrides)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_compile_overrides)
