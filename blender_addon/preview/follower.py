"""Decides what to ask the worker for, and what to show, while a face moves and when it rests.

While it moves: small pictures, newest first. At rest: the size that was chosen. Nothing here
waits, nothing knows Blender, and time is an argument. No bpy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..shared.wire.messages import FrameReply, FrameRequest
from .frame_cache import FrameCache, Picture, PictureKey, picture_key

REST_SECONDS = 0.15
"""A face that has not moved for so long is at rest."""


@dataclass(frozen=True)
class Wish:
    """What a view would like to see.

    Attributes:
        request: at the size for a face at rest.
        quick_size: edge in pixels while it moves.
        model_id: of the worker's bundle; "" before a worker has been seen.
    """

    request: FrameRequest
    quick_size: int
    model_id: str

    @property
    def quick(self) -> FrameRequest:
        """The request while the face moves."""
        size = self.request.size
        if size != "full" and size <= self.quick_size:
            return self.request
        return replace(self.request, size=self.quick_size)

    @property
    def key(self) -> PictureKey:
        return picture_key(self.request, self.model_id)

    @property
    def quick_key(self) -> PictureKey:
        return picture_key(self.quick, self.model_id)


class Follower:
    """The picture of one scene.

    Attributes:
        wish: what is wanted, None where nothing can be.
        shown: the picture to draw, None before the first.
        whole: the last whole photo of the same portrait, to draw a face crop upon.
        problem: why there can be no new picture, "" where there can.
        milliseconds: time of the last frame on the device, None before the first.
    """

    def __init__(self, cache: FrameCache) -> None:
        self.wish: Wish | None = None
        self.shown: Picture | None = None
        self.whole: Picture | None = None
        self.problem = ""
        self.milliseconds: float | None = None
        self._cache = cache
        self._changed = 0.0
        self._is_playing = False
        self._asked: PictureKey | None = None
        self._refused: PictureKey | None = None

    # --- what is wanted

    def want(self, wish: Wish, now: float) -> bool:
        """This is wanted now. Returns whether another picture is shown for it, from memory."""
        before = self.wish
        self.wish = wish
        if before is None or wish.key != before.key:
            self._changed, self._refused, self.problem = now, None, ""
        if before is not None and before.request.portrait != wish.request.portrait:
            self.shown = self.whole = None
        return self._show_best()

    def cannot(self, problem: str) -> None:
        """Nothing can be wanted, for this reason; what is shown is of another camera or none."""
        self.wish = self.shown = self.whole = None
        self.problem = problem

    def play(self, is_playing: bool, now: float) -> None:
        """Whether playback runs; when it ends the face is at rest."""
        if self._is_playing and not is_playing:
            self._changed = now - REST_SECONDS
        self._is_playing = is_playing

    # --- what to ask for

    def next_request(self, now: float) -> FrameRequest | None:
        """What to ask the worker for now, None for nothing. It counts as asked from now on."""
        wish = self.wish
        if wish is None or self._has(wish.key):
            return None
        if not self._has(wish.quick_key):
            wanted, key = wish.quick, wish.quick_key
        elif self._is_at_rest(now):
            wanted, key = wish.request, wish.key
        else:
            return None
        if key in (self._asked, self._refused):
            return None
        self._asked = key
        return wanted

    def _has(self, key: PictureKey) -> bool:
        return self._shows(key) or key in self._cache

    def _is_at_rest(self, now: float) -> bool:
        return not self._is_playing and now - self._changed >= REST_SECONDS - 1e-6

    def seconds_to_rest(self, now: float) -> float | None:
        """When ``next_request`` should be asked again though nothing happens, None for never."""
        if self.wish is None or self._is_playing or self.is_final or self._is_at_rest(now):
            return None
        return max(0.0, self._changed + REST_SECONDS - now)

    # --- what came

    def receive(self, request: FrameRequest, reply: FrameReply, model_id: str) -> bool:
        """A frame has come. Returns whether another picture is shown than before."""
        key = picture_key(request, model_id)
        picture = Picture.of(key, reply)
        self._cache.put(picture.key, picture)
        self.milliseconds = reply.milliseconds
        if self._asked == key:
            self._asked = None
        wish = self.wish
        if wish is None or request.portrait != wish.request.portrait:
            return False
        if key in (wish.key, wish.quick_key):
            is_worse = self._shows(wish.key) and key != wish.key
            return not is_worse and self._show(picture)
        # Late, but nearer to the face as it is than what is shown; unless that is right already.
        return not self.is_current and self._show(picture)

    def refuse(self, reason: str) -> None:
        """The newest request failed; it is not repeated until something changes."""
        self._refused, self._asked = self._asked, None
        self.problem = reason

    def forget_requests(self) -> None:
        """The worker has gone, and what it was asked or refused with it."""
        self._asked = self._refused = None
        if self.wish is not None:
            self.problem = ""

    # --- what is shown

    @property
    def is_current(self) -> bool:
        """Whether the picture shows the face as it is, in whatever size."""
        wish = self.wish
        return wish is not None and (self._shows(wish.key) or self._shows(wish.quick_key))

    @property
    def is_final(self) -> bool:
        """Whether it does so in the size that was chosen."""
        return self.wish is not None and self._shows(self.wish.key)

    def _shows(self, key: PictureKey) -> bool:
        return self.shown is not None and self.shown.key == key

    def _show_best(self) -> bool:
        """Show what is in memory; while playing the small one, so that sizes do not alternate."""
        wish = self.wish
        if wish is None or self.is_final:
            return False
        keys = [wish.key, wish.quick_key]
        for key in reversed(keys) if self._is_playing else keys:
            if self._shows(key):
                return False
            picture = self._cache.get(key)
            if picture is not None:
                return self._show(picture)
        return False

    def _show(self, picture: Picture) -> bool:
        if self.shown is picture:
            return False
        self.shown = picture
        if picture.size == "full":
            self.whole = picture
        elif self.wish is not None and self.wish.request.size != "full":
            self.whole = None
        return True
