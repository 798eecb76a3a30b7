# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the faces in the open windows up to date.

Handlers say what is wanted, from evaluated data, and ask for it without waiting. A timer takes
what comes; it runs only while something is on its way. State lives here, by the scene's session id,
so that undo, another file or a deleted camera leave nothing behind that is no longer there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import bpy
from bpy.app.handlers import persistent

from ..camera.other_faces import cameras_of_faces
from ..camera.portrait_file import resolve
from ..client.portrait_source import content_of, face_in_photo
from ..link.link import STOPPED, link
from ..link.options import preview_cache_bytes
from ..mapping.frame_request import frame_request, scene_camera
from ..shared.errors import PhotorigError
from ..shared.wire.messages import FrameRequest
from . import preview_image, textures
from .badge import Badge, WorkerState, badge_of
from .follower import Follower, Wish
from .frame_cache import frame_cache
from .motion_size import MotionSize
from .placement import corners_in_photo
from .settings import Demand, areas_with_faces, demands, viewports, when_changed

_POLL_SECONDS = 0.008
_START_SECONDS = 0.25
_log = logging.getLogger(__name__)


class Live:
    """The followers of all scenes that are seen.

    Attributes:
        followers: by the scene's session id.
        failure: an unexpected failure in words, "" without any.
        in_background: whether to follow without a user interface, too.
    """

    def __init__(self) -> None:
        self.cache = frame_cache(0)
        self.followers: dict[int, Follower] = {}
        self.failure = ""
        self.in_background = False
        self._portraits: dict[int, str] = {}
        self._sources: dict[str, Callable[[], bytes]] = {}
        self._client: object = None
        self._model_id = ""
        self._motion_size = MotionSize()
        self._look_again = True
        self._tried_to_start = False
        self._served_early = False
        self._doing = ""

    # --- what is wanted

    def follow(
        self,
        scene: bpy.types.Scene,
        depsgraph: bpy.types.Depsgraph,
        camera: bpy.types.Object | None = None,
    ) -> bool:
        """See what a scene wants now. Returns whether its viewports should be drawn again.

        Args:
            camera: the one that counts, where that is not the scene's.
        """
        demand = demands().get(scene)
        return demand is not None and self._follow(scene, depsgraph, demand, camera)

    def _follow(
        self,
        scene: bpy.types.Scene,
        depsgraph: bpy.types.Depsgraph,
        demand: Demand,
        camera: bpy.types.Object | None = None,
    ) -> bool:
        follower = self.followers.setdefault(scene.session_uid, Follower(self.cache))
        before = follower.problem
        try:
            owner = camera if camera is not None else scene_camera(scene)
            seen = owner.evaluated_get(depsgraph).data
            request = frame_request(seen, scene.frame_current)
        except PhotorigError as error:
            follower.cannot(str(error))
            return follower.problem != before
        if demand.rest_size != "RENDER":
            request = replace(request, size=int(demand.rest_size))
        self._portraits[scene.session_uid] = str(resolve(seen.photorig.portrait_path, seen))
        for each in cameras_of_faces(seen):
            path = str(resolve(each.photorig.portrait_path, each))
            self._sources[each.photorig.portrait_id] = partial(content_of, path)
        follower.play(is_playing(), time.monotonic())
        was_current = follower.is_current
        wish = Wish(request, demand.quick_size or self._motion_size.size, self._model_id)
        is_new = follower.want(wish, time.monotonic())
        return is_new or was_current != follower.is_current

    def follower_of(self, scene: bpy.types.Scene) -> Follower:
        """For drawing; one that knows nothing yet where the scene has not been looked at."""
        follower = self.followers.get(scene.session_uid)
        if follower is None:
            self._look_again = True
            wake()
            return Follower(self.cache)
        if not follower.is_final and not follower.problem:
            wake()
        return follower

    def badge(self, follower: Follower) -> Badge:
        """What to say under a picture."""
        device = link.welcome.device if link.welcome is not None else ""
        is_slow = link.client is not None and link.client.is_slow
        worker = WorkerState(link.state, link.message, device, is_slow, link.doing)
        return badge_of(follower, worker, self.failure)

    def face_corners(self, scene: bpy.types.Scene) -> list[tuple[float, float]] | None:
        """Where the face crop lies in the whole photo; see placement.face_in_photo."""
        found = face_in_photo(self._portraits.get(scene.session_uid, ""))
        return None if found is None else corners_in_photo(found.alignment, found.photo_size)

    def photo_size(self, scene: bpy.types.Scene) -> tuple[int, int] | None:
        """(width, height) of the photo that a scene shows; None where its file cannot be read."""
        found = face_in_photo(self._portraits.get(scene.session_uid, ""))
        return None if found is None else found.photo_size

    def look_again(self) -> None:
        """Something may have changed without any handler's knowing it."""
        self._look_again = True

    # --- the network: main thread, from the timer

    def tick(self) -> float | None:
        """Do what can be done without waiting; returns when to come again, None for not."""
        self._served_early = False
        wanted = demands()
        if not wanted:
            self.forget()
            return None
        self._start_worker_once()
        self._notice_another_worker()
        if self._look_again:
            self._look_at_all(wanted)
        waits = [self.serve(scene) for scene in wanted]
        waits.append(_START_SECONDS if link.is_starting else None)
        if textures.go_on():
            redraw_viewports()
        waits.append(0.0 if textures.is_busy() else None)
        for scene, demand in wanted.items():
            follower = self.followers.get(scene.session_uid)
            if demand.use_image and follower is not None and follower.is_final:
                preview_image.write(follower.shown)
        times = [seconds for seconds in waits if seconds is not None]
        return min(times) if times else None

    def serve(self, scene: bpy.types.Scene) -> float | None:
        """Take what came for a scene and ask for what it lacks; returns when to come again."""
        follower = self.followers.get(scene.session_uid)
        client = link.client
        if follower is None or client is None or client is not self._client:
            return None
        view = f"scene-{scene.session_uid}"
        now = time.monotonic()
        follower.play(is_playing(), now)
        is_changed = False
        try:
            for request, reply in client.take_previews(view):
                is_changed |= follower.receive(request, reply, self._model_id)
                self._motion_size.note(request.size, reply.milliseconds)
            wanted = follower.next_request(now)
            if wanted is not None:
                self._submit(scene, view, wanted)
        except PhotorigError as error:
            link.poll()  # a lost worker is the link's to explain
            if link.client is None:
                follower.forget_requests()
            else:
                follower.refuse(str(error))
            is_changed = True
        if is_changed or link.doing != self._doing:
            self._doing = link.doing
            redraw_viewports(scene)
        if link.client is None:
            return None
        if client.preview_waits(view):
            return _POLL_SECONDS
        return follower.seconds_to_rest(now)

    def serve_early(self, scene: bpy.types.Scene) -> None:
        """Ask before Blender draws its viewports, so that the face is rendered meanwhile.

        Once between two turns of the timer: what runs through frames asks for the first and last.
        """
        if not self._served_early:
            self._served_early = True
            self.serve(scene)

    def _submit(self, scene: bpy.types.Scene, view: str, request: FrameRequest) -> None:
        assert link.client is not None
        sources = {each: self._sources[each] for each in request.portraits if each in self._sources}
        link.client.offer_portraits(sources)
        link.client.submit_preview(view, request)

    def _notice_another_worker(self) -> None:
        link.poll()
        if link.client is self._client:
            return
        self._client, self._motion_size = link.client, MotionSize()
        for follower in self.followers.values():
            follower.forget_requests()
        if link.welcome is not None and link.welcome.model_id != self._model_id:
            self._model_id = link.welcome.model_id
            self._look_again = True
        redraw_viewports()

    def _start_worker_once(self) -> None:
        """For a file that was opened with its overlay on; what a person stopped stays stopped."""
        if self._tried_to_start or bpy.app.background:
            return
        self._tried_to_start = True
        if link.state == STOPPED:
            try:
                link.start_if_wanted()
            except PhotorigError as error:
                _log.info("the worker was not started: %s", error)

    def _look_at_all(self, wanted: dict[bpy.types.Scene, Demand]) -> None:
        self._look_again = False
        seen = {scene.session_uid for scene in wanted}
        for uid in [uid for uid in self.followers if uid not in seen]:
            self._drop(uid)
        for window in bpy.context.window_manager.windows:
            demand = wanted.get(window.scene)
            if demand is not None:
                depsgraph = window.view_layer.depsgraph
                if depsgraph is None:
                    self._look_again = True
                elif self._follow(window.scene, depsgraph, demand):
                    redraw_viewports(window.scene)

    def _drop(self, uid: int) -> None:
        self.followers.pop(uid, None)
        self._portraits.pop(uid, None)
        if link.client is not None:
            link.client.forget_previews(f"scene-{uid}")

    def forget(self) -> None:
        """Nothing is seen any more."""
        for uid in list(self.followers):
            self._drop(uid)
        self._look_again = True


live = Live()


def camera_of_frame(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that a timeline marker binds to the present frame, None where none does."""
    bound = [marker for marker in scene.timeline_markers if marker.camera is not None]
    if not bound:
        return None
    before = [marker for marker in bound if marker.frame <= scene.frame_current]
    marker = max(before, key=lambda m: m.frame) if before else min(bound, key=lambda m: m.frame)
    return marker.camera if marker.camera.type == "CAMERA" else None


def is_playing() -> bool:
    return any(w.screen.is_animation_playing for w in bpy.context.window_manager.windows)


def _is_on() -> bool:
    return live.in_background or not bpy.app.background


def look_again() -> None:
    """Forget what failed, and see what is wanted now."""
    live.failure = ""
    live.look_again()
    wake()


def wake() -> None:
    """Let the timer run soon, if it does not."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def redraw_viewports(scene: bpy.types.Scene | None = None) -> None:
    """Have the viewports drawn that show the face of this scene, or of any."""
    for window in bpy.context.window_manager.windows:
        if scene is None or window.scene == scene:
            for area in areas_with_faces(window):
                _redraw(area)


def redraw_all_viewports() -> None:
    """After a change of where faces are shown."""
    for window in bpy.context.window_manager.windows:
        for area in viewports(window):
            _redraw(area)


def _redraw(area: bpy.types.Area) -> None:
    """The view only: a new face changes nothing in headers and sidebar, which take their time."""
    for region in area.regions:
        if region.type == "WINDOW":
            region.tag_redraw()


def fail(error: Exception) -> None:
    """An unexpected failure: one log record for each kind, and the badge says it."""
    text = f"{error or type(error).__name__}. See the console"
    if live.failure != text:
        live.failure = text
        _log.error("the preview failed", exc_info=error)


def _tick() -> float | None:
    try:
        return live.tick()
    except Exception as error:  # would end the timer for good, without a word
        fail(error)
        return None


@persistent
def _on_frame(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Another frame is shown; Blender makes the marker's camera the scene's only after this."""
    _see(scene, depsgraph, camera_of_frame(scene))


@persistent
def _on_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Something was evaluated."""
    _see(scene, depsgraph, None)


def _see(
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph | None,
    camera: bpy.types.Object | None,
) -> None:
    """Follow a scene; what fails is told by the badge."""
    if not _is_on() or depsgraph is None or depsgraph.mode == "RENDER":
        return
    try:
        if live.follow(scene, depsgraph, camera):
            redraw_viewports(scene)
        follower = live.followers.get(scene.session_uid)
        if follower is not None and not follower.is_final:
            live.serve_early(scene)
            wake()
    except Exception as error:
        fail(error)


@persistent
def _on_leap(*_arguments: object) -> None:
    """Another file, undo, redo, or the end of playback."""
    if _is_on():
        preview_image.forget()
        look_again()


_HANDLERS = (
    ("frame_change_post", _on_frame),
    ("depsgraph_update_post", _on_change),
    ("load_post", _on_leap),
    ("undo_post", _on_leap),
    ("redo_post", _on_leap),
    ("animation_playback_post", _on_leap),
)


def register() -> None:
    live.cache.limit = preview_cache_bytes()
    when_changed(look_again)
    when_changed(redraw_all_viewports)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    look_again()


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    live.forget()
    live.cache.clear()
    textures.clear()
