# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance as keys of the rig itself: its shape keys, bones, objects and properties."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..camera.extra_parameters import schema_of
from ..camera.values import slider_values
from ..shared.errors import InputError
from ..shared.mapping.inverse import reached, solved
from ..shared.mapping.rotations import euler_matrices, quaternion_matrix, turn_matrices
from ..shared.mapping.rows import BODY, CAMERA, TURN
from ..shared.mapping.turns import before_and_after
from ..shared.parameters.key_reduction import kept_keys
from .keys import write_curve
from .nla import StripWriter
from .rig import EULER_ORDERS
from .rig_numbers import Channel, RigNumbers, Rotation, order_of, rig_numbers
from .turn_drivers import viewer_of

TOLD_FROM = 1e-3
"""A miss that is told, as a part of a whole movement."""
_NAMED = 3
_LOOKED_AT = 12
"""Frames in which Blender is asked what the camera's parameters have become."""


@dataclass(frozen=True)
class RigKeyed:
    """What became of a performance on a rig.

    Attributes:
        on_rig: parameters that the rig does now.
        not_on_rig: parameters that no row drives; the camera itself was keyed for them.
        shared: by parameter the controls that do it together.
        missed: by parameter how far from what was asked it ends at most, as a part of a whole
            movement, where that is more than a thousandth.
        below_rest: parameters that the recording takes below the rig's rest, where none can go:
            less of a smile than its first frame has.
        fixed: controls that something else moves.
    """

    on_rig: tuple[str, ...]
    not_on_rig: tuple[str, ...]
    shared: dict[str, tuple[str, ...]]
    missed: dict[str, float]
    below_rest: tuple[str, ...]
    fixed: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What the person who waits should know."""
        told = []
        if self.not_on_rig:
            told.append(f"No row of the mapping does {_few(self.not_on_rig)}: keyed on the camera")
        if self.shared:
            names = [f"{name} ({_few(controls)})" for name, controls in self.shared.items()]
            told.append(f"Several controls share what they do together: {_few(names)}")
        if self.fixed:
            told.append(f"Something else moves {_few(self.fixed)}: not keyed")
        if self.below_rest:
            few = _few(self.below_rest)
            told.append(f"The recording has less than the rig's rest of {few}: begin it neutral")
        if self.missed:
            worst = sorted(self.missed.items(), key=lambda pair: -pair[1])
            names = [f"{name} by {miss:.2g}" for name, miss in worst]
            told.append(f"The rig misses the recording, of a whole movement: {_few(names)}")
        return told


def _few(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def key_rig(
    scene: bpy.types.Scene,
    camera: bpy.types.Camera,
    frames: np.ndarray,
    wanted: Mapping[str, np.ndarray],
    tolerance: float | None = None,
    strips: StripWriter | None = None,
) -> RigKeyed:
    """Key what a camera's rig has to do for its parameters to become these.

    Args:
        frames: (n,) ascending scene frames.
        wanted: (n,) by parameter id.
        tolerance: see keys.write_keys; None for a key at every frame.
        strips: where the keys go; None for the actions that are there.

    Raises:
        InputError: nothing is mapped, or the rig cannot be keyed.
    """
    camera.photorig.use_mapping = True
    numbers = rig_numbers(camera)
    mapped = tuple(name for name in wanted if name in numbers.parameters)
    if not mapped:
        raise InputError(
            "The rig does nothing of what the recording shows", "Map its controls first."
        )
    quantities = [numbers.parameters[name] for name in mapped]
    asked = np.stack([np.asarray(wanted[name], np.float64) for name in mapped], axis=1)
    schema = schema_of(camera)
    limits = [schema.parameters[schema.index[name]] for name in mapped]
    # A rig does not do less than nothing, as the difference of two faces may be.
    shown = np.clip(asked, [each.minimum for each in limits], [each.maximum for each in limits])
    values = solved(quantities, shown, numbers.unknowns)
    writer = _RigWriter(scene, camera, numbers, frames, values, tolerance, strips)
    writer.write({column for quantity in quantities for column in quantity.depends})
    units = np.array([quantity.unit for quantity in quantities])
    known = np.abs(reached(quantities, values) - shown).max(axis=0) / units
    seen = _seen_misses(scene, camera, mapped, frames, shown) / units
    told_from = TOLD_FROM + (tolerance or 0.0)
    worst = dict(zip(mapped, np.maximum(known, seen).tolist(), strict=True))
    return RigKeyed(
        mapped,
        tuple(name for name in wanted if name not in numbers.parameters),
        {n: controls for n in mapped if len(controls := numbers.controls_of(n)) > 1},
        {name: miss for name, miss in worst.items() if miss > told_from},
        tuple(
            name
            for name, most in zip(mapped, (shown - asked).max(axis=0) / units, strict=True)
            if most > told_from
        ),
        tuple(dict.fromkeys(numbers.fixed)),
    )


def _seen_misses(
    scene: bpy.types.Scene,
    camera: bpy.types.Camera,
    names: Sequence[str],
    frames: np.ndarray,
    asked: np.ndarray,
) -> np.ndarray:
    """(k,) how far the camera's parameters are from what was asked, as Blender evaluates the rig:
    with its constraints, and whatever else it has."""
    viewer, schema = viewer_of(camera), schema_of(camera)
    columns = [schema.index[name] for name in names]
    if viewer is None:
        return np.zeros(len(names))
    misses = [np.zeros(len(names))]
    count = min(len(frames), _LOOKED_AT)
    for place in np.unique(np.linspace(0, len(frames) - 1, count).astype(int)):
        with _at_frame(scene, float(frames[place])) as depsgraph:
            now = slider_values(viewer.evaluated_get(depsgraph).data)[columns]
        misses.append(np.abs(now - asked[place]))
    return np.max(misses, axis=0)


@contextlib.contextmanager
def _at_frame(scene: bpy.types.Scene, frame: float) -> Iterator[bpy.types.Depsgraph]:
    present, subframe = scene.frame_current, scene.frame_subframe
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=frame - whole)
    try:
        yield bpy.context.evaluated_depsgraph_get()
    finally:
        scene.frame_set(present, subframe=subframe)


class _RigWriter:
    """Values of the unknowns to keys."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        camera: bpy.types.Camera,
        numbers: RigNumbers,
        frames: np.ndarray,
        values: np.ndarray,
        tolerance: float | None,
        strips: StripWriter | None,
    ) -> None:
        """See ``key_rig``; ``values`` is (n, m)."""
        self._scene, self._viewer = scene, viewer_of(camera)
        self._numbers, self._frames, self._values = numbers, frames, values
        self._tolerance, self._strips = tolerance, strips

    def write(self, columns: set[int]) -> None:
        """Key these unknowns. What is counted in the world is keyed last: it hangs on the rest."""
        for column in sorted(columns & self._numbers.channels.keys()):
            self._write_channel(self._numbers.channels[column], column)
        rotations = [r for r in self._numbers.rotations.values() if columns & set(r.columns)]
        for rotation in rotations:
            if not _is_in_world(rotation):
                self._write_rotation(rotation, self._turns(rotation))
        self._finish()
        for rotation in rotations:
            if _is_in_world(rotation):
                self._write_rotation(rotation, self._from_world(rotation, self._turns(rotation)))
        self._finish()

    def _finish(self) -> None:
        if self._strips is not None:
            self._strips.finish()

    def _curve(
        self,
        owner: bpy.types.ID,
        path: str,
        index: int,
        kept: np.ndarray,
        values: np.ndarray,
        group: str,
    ) -> None:
        write = self._strips.write if self._strips is not None else write_curve
        write(owner, path, self._frames[kept], values[kept], index, group)

    def _kept(self, values: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Places of the keys that curves (n, c) need, the same for all of them."""
        if self._tolerance is None:
            return np.arange(len(self._frames))
        each = [
            kept_keys(self._frames, column, self._tolerance * scale)
            for column, scale in zip(values.T, scales, strict=True)
        ]
        return np.unique(np.concatenate(each))

    def _write_channel(self, channel: Channel, column: int) -> None:
        values = self._values[:, column]
        if channel.is_whole:
            values = np.rint(values)
        scale = self._numbers.unknowns[column].scale
        kept = self._kept(values[:, None], np.array([scale]))
        group = "Shape Keys" if isinstance(channel.owner, bpy.types.Key) else channel.name
        self._curve(channel.owner, channel.path, channel.index, kept, values, group)

    def _turns(self, rotation: Rotation) -> np.ndarray:
        """(n, 3, 3) what the angles come to, in the space that their source is counted in."""
        angles, source = self._values[:, rotation.columns], rotation.source
        if source.kind != TURN:
            return euler_matrices(angles, order_of(rotation.owner, source))
        before, after = (quaternion_matrix(each) for each in before_and_after(source))
        return before.T @ turn_matrices(angles) @ after.T

    def _from_world(self, rotation: Rotation, turns: np.ndarray) -> np.ndarray:
        """(n, 3, 3) from the world to what is set on the bone or object, frame by frame."""
        owner, local = rotation.owner, np.empty_like(turns)
        for place, (frame, turn) in enumerate(zip(self._frames, turns, strict=True)):
            with _at_frame(self._scene, float(frame)):
                world = Matrix(turn.tolist())
                if rotation.source.space == CAMERA and self._viewer is not None:
                    world = self._viewer.matrix_world.to_quaternion().to_matrix() @ world
                bone = owner.pose.bones[rotation.bone] if rotation.bone else None
                ways = {"pose_bone": bone} if bone is not None else {}
                matrix = world.to_4x4()
                local[place] = (
                    owner.convert_space(matrix=matrix, from_space="WORLD", to_space="LOCAL", **ways)
                    .to_quaternion()
                    .to_matrix()
                )
        return local

    def _write_rotation(self, rotation: Rotation, turns: np.ndarray) -> None:
        holder = rotation.owner.pose.bones[rotation.bone] if rotation.bone else rotation.owner
        path, values = _rotation_values(holder.rotation_mode, turns)
        if rotation.bone:
            path = f'pose.bones["{bpy.utils.escape_identifier(rotation.bone)}"].{path}'
        kept = self._kept(values, np.full(values.shape[1], math.radians(25)))
        for index, column in enumerate(values.T):
            self._curve(rotation.owner, path, index, kept, column, rotation.name)


def _is_in_world(rotation: Rotation) -> bool:
    source = rotation.source
    return source.kind == TURN and not (source.space == BODY and bool(rotation.bone))


def _rotation_values(mode: str, turns: np.ndarray) -> tuple[str, np.ndarray]:
    """Property and its numbers (n, 3 or 4), without jumps from frame to frame."""
    rows: list[Sequence[float]] = []
    before: Any = None
    for turn in turns:
        matrix = Matrix(turn.tolist())
        if mode in EULER_ORDERS:
            before = matrix.to_euler(mode, before) if before else matrix.to_euler(mode)
            rows.append(tuple(before))
            continue
        quaternion = matrix.to_quaternion()
        if before is not None:
            quaternion.make_compatible(before)
        before = quaternion
        if mode == "AXIS_ANGLE":
            axis, angle = quaternion.to_axis_angle()
            rows.append((angle, *axis))
        else:
            rows.append(tuple(quaternion))
    names = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return names.get(mode, "rotation_euler"), np.array(rows, np.float64)
