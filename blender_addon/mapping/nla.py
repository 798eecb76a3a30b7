# SPDX-License-Identifier: GPL-3.0-or-later
"""A take in actions and NLA strips of its own, over what was animated before."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from ..compat import animates, new_curve, new_curves
from .keys import fill


class StripWriter:
    """Writes curves into one new action a data-block; ``finish`` lays them into strips.

    An action that is there goes on, and lies below. Only where it animates the same property, which
    would hide the take, is it pushed down into a strip of its own, as *Push Down Action* does.
    """

    def __init__(self, name: str) -> None:
        """``name`` is that of actions, tracks and strips."""
        self._name = name
        self._actions: dict[bpy.types.ID, tuple[bpy.types.Action, Any]] = {}
        self._waiting: list[bpy.types.ID] = []

    def write(
        self,
        owner: bpy.types.ID,
        path: str,
        frames: np.ndarray,
        values: np.ndarray,
        index: int = -1,
        group: str = "Photorig",
    ) -> int:
        """As keys.write_curve."""
        if owner not in self._actions:
            action = bpy.data.actions.new(self._name)
            self._actions[owner] = (action, new_curves(action, owner.id_type, owner.name))
            self._waiting.append(owner)
        _push_down_what_hides(owner, path, max(index, 0))
        curve = new_curve(self._actions[owner][1], path, max(index, 0), group)
        fill(curve, frames, values)
        return len(frames)

    def finish(self) -> None:
        """Lay what was written since the last time into strips, above all others."""
        for owner in self._waiting:
            action = self._actions[owner][0]
            animation = owner.animation_data or owner.animation_data_create()
            is_alone = animation.action is None and not len(animation.nla_tracks)
            strip = _add_strip(animation, self._name, action)
            strip.extrapolation = "HOLD" if is_alone else "NOTHING"
        self._waiting.clear()


def _push_down_what_hides(owner: bpy.types.ID, path: str, index: int) -> None:
    animation = owner.animation_data
    if animation is None or animation.action is None or not animates(owner, path, index):
        return
    action = animation.action
    _add_strip(animation, action.name, action)
    animation.action = None


def _add_strip(
    animation: bpy.types.AnimData, name: str, action: bpy.types.Action
) -> bpy.types.NlaStrip:
    """A strip in a track of its own, whose keys lie where the action has them."""
    start = float(action.frame_range[0])
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, math.floor(start), action)
    if strip.frame_start != start:
        strip.frame_start_ui = start
    return strip
