# SPDX-License-Identifier: GPL-3.0-or-later
"""Create Head from Portrait: asks the worker for the head's shape and builds it when it comes."""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..client.head import HeadQuery
from ..link.jobs import Job, JobSlot, data_block
from ..link.link import link
from ..mapping.frame_request import portrait_of
from ..shared.errors import InputError
from .build import heads_in
from .from_portrait import HeadWish, create_head


class HeadJob(Job):
    """One head that is being made.

    Attributes:
        portrait: the portrait's file.
        made: one sentence once it is.
        scene: session number of the scene it goes into; see jobs.data_block.
    """

    def __init__(
        self, context: bpy.types.Context, camera: bpy.types.Camera, mode: str, replaces: int
    ) -> None:
        """See ``start``. Raises InputError where the camera's portrait cannot be read."""
        super().__init__()
        settings = camera.photorig
        self._wish = HeadWish(mode or settings.mode, settings.size, settings.framing)
        self._replaces = replaces
        self.made = ""
        self.portrait = portrait_of(camera)
        self.scene = context.scene.session_uid
        self._query: HeadQuery | None = None

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self.is_done:
            return self.made
        return "Measuring the head" if self._query is not None else "Waiting for the worker"

    @property
    def _has_begun(self) -> bool:
        return self._query is not None

    def _begin(self) -> None:
        self._query = HeadQuery(link.in_use()[0], self.portrait.id, self.portrait.content)

    def _go_on(self) -> None:
        query = self._query
        assert query is not None
        query.poll()
        if query.error is not None:
            raise query.error
        if query.head is None:
            return
        scene = data_block(bpy.data.scenes, self.scene)
        if scene is None:
            raise InputError("The scene for the head is not here any more", "Create it again.")
        context = bpy.context
        windows = context.window_manager.windows
        if windows and not bpy.app.background:
            # A timer has no window of its own, and building needs one for its modes.
            window = next((each for each in windows if each.scene == scene), None)
            if window is None:
                raise InputError(
                    f"The scene {scene.name!r} is not shown", "Show it and create the head again."
                )
            with context.temp_override(window=window):
                self._build(query)
            bpy.ops.ed.undo_push(message="Create Head from Portrait")
        else:
            self._build(query)
        self.is_done = True

    def _build(self, query: HeadQuery) -> None:
        if bpy.context.mode != "OBJECT":
            raise InputError("The head cannot be added in this mode", "Leave edit or pose mode.")
        assert query.head is not None
        scene = bpy.context.scene
        same = [h for h in heads_in(scene) if h.armature.session_uid == self._replaces]
        if self._replaces and not same:
            raise InputError("The head that was to be replaced is gone", "Create it again.")
        wish = replace(self._wish, replaces=same[0] if same else None)
        head = create_head(bpy.context, self.portrait, query.head, wish)
        self.made = (
            f"The head of {self.portrait.name} was made."
            f" {head.camera.name} is the scene's camera now, in {wish.mode.lower()} mode"
        )

    def _stop(self) -> None:
        if self._query is not None:
            self._query.cancel()


slot = JobSlot[HeadJob](busy=("A head is being made", "Wait for it."))


def start(
    context: bpy.types.Context, camera: bpy.types.Camera, mode: str = "", replaces: int = 0
) -> HeadJob:
    """Begin; a timer moves it on where there is a user interface.

    Args:
        camera: whose portrait, size and framing the head's camera gets.
        mode: of the head's camera; "" for this camera's.
        replaces: session number of the armature of a head that takes on the new shape, 0 for none.

    Raises:
        InputError: another head is being made, or the portrait cannot be read.
        ConnectionLost: no worker runs and none may be started.
    """
    return slot.start(lambda: HeadJob(context, camera, mode, replaces))
