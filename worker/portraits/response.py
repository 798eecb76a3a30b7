"""How one face answers to a bundle: measured once, when its portrait is made, and kept in its file.

A direction matrix is an average over people. One face turns a little further than another for the
same shift of its latents, or answers to a smile only half as much. What it was seen to do corrects
that, and says how far this face can go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KNOTS = 9
"""Amounts of motion at which a coefficient is known: four down, none, four up."""

TURNS = 5
"""Amounts of yaw, and of pitch, whose combinations are known: two down, none, two up."""

MIDDLE = KNOTS // 2
MIDDLE_TURN = TURNS // 2
YAW, PITCH, ROLL = range(3)
"""What is known of a turned head: motion of headYaw and of headPitch, degrees of headRoll."""

ARRAYS = ("moved", "seen", "turned", "turns_seen", "lowest", "highest")
"""Names of the arrays of a response, as files keep them."""

FORM = 2
"""Of these arrays; a response of another form is left unread."""

LEAST_GAIN, GREATEST_GAIN = 0.12, 6.0
GREATEST_OFFSET = 0.5
"""Motion; a face is not believed to answer less, more, or to turn further unasked than this."""

_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class PortraitResponse:
    """What one face was seen to do.

    Attributes:
        bundle_id: the bundle that drove it.
        moved: (n, 9) float32, rising, 0 in the middle: motion given to each parameter alone.
        seen: (n, 9) float32, rising, 0 in the middle: motion of that parameter that was seen.
        turned: (2, 5) float32, rising, 0 in the middle: motion of headYaw and headPitch given.
        turns_seen: (5, 5, 3) float32: motion of headYaw and of headPitch and degrees of headRoll
            that were seen at each combination, yaw first; all 0 where nothing was given.
        lowest, highest: (n,) float32, values of each parameter that this face can show.
    """

    bundle_id: str
    moved: np.ndarray
    seen: np.ndarray
    turned: np.ndarray
    turns_seen: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    def give(self, wanted: np.ndarray, angles: tuple[int, int]) -> np.ndarray:
        """Motion (n,) to give so that ``wanted`` (n,) is seen; exactly 0 where all is at rest.

        Args:
            angles: positions of headYaw and headPitch.
        """
        given = interpolated(wanted.astype(np.float64), self.seen, self.moved)
        given[list(angles)] = self._turn_for(wanted[list(angles)].astype(np.float64))
        return given.astype(np.float32)

    @property
    def farthest_turns(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest motion (2,) of yaw and of pitch that was seen of this face."""
        yaw, pitch = self.turns_seen[:, MIDDLE_TURN, YAW], self.turns_seen[MIDDLE_TURN, :, PITCH]
        return np.array([yaw[0], pitch[0]]), np.array([yaw[-1], pitch[-1]])

    def tilt(self, given: np.ndarray, angles: tuple[int, int]) -> float:
        """Degrees of headRoll that come along with a motion (n,) that is given."""
        yaw, pitch = given[list(angles)].astype(np.float64)
        along_pitch = self._at_yaw(yaw, ROLL)
        return float(interpolated(pitch[None], self.turned[PITCH][None], along_pitch[None])[0])

    def _turn_for(self, wanted: np.ndarray) -> np.ndarray:
        """(2,) motion of yaw and pitch to give so that ``wanted`` (2,) is seen.

        Along each axis what is seen rises, so each is solved exactly while the other stands still;
        they turn each other a little only, and have settled after a few rounds.
        """
        if not wanted.any():
            return np.zeros(2)
        yaw, pitch = wanted
        for _ in range(_ROUNDS):
            along_yaw = self._at_pitch(pitch, YAW)
            yaw = interpolated(wanted[:1], along_yaw[None], self.turned[YAW][None])[0]
            along_pitch = self._at_yaw(yaw, PITCH)
            pitch = interpolated(wanted[1:], along_pitch[None], self.turned[PITCH][None])[0]
        return np.array([yaw, pitch])

    def _at_yaw(self, yaw: float, channel: int) -> np.ndarray:
        """(5,) what is seen at that motion of yaw, over the amounts of pitch."""
        heights = self.turns_seen[:, :, channel].T
        return interpolated(np.full(TURNS, yaw), np.tile(self.turned[YAW], (TURNS, 1)), heights)

    def _at_pitch(self, pitch: float, channel: int) -> np.ndarray:
        """(5,) what is seen at that motion of pitch, over the amounts of yaw."""
        heights = self.turns_seen[:, :, channel]
        return interpolated(np.full(TURNS, pitch), np.tile(self.turned[PITCH], (TURNS, 1)), heights)

    def check(self, n: int) -> None:
        """Raise ValueError unless the arrays belong to n parameters and can be used."""
        arrays = tuple(getattr(self, name) for name in ARRAYS)
        shapes = ((n, KNOTS), (n, KNOTS), (2, TURNS), (TURNS, TURNS, 3), (n,), (n,))
        if tuple(array.shape for array in arrays) != shapes:
            raise ValueError("a response of a wrong shape")
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("a response that is not finite")
        rising = (
            self.moved,
            self.seen,
            self.turned,
            self.turns_seen[:, :, YAW].T,
            self.turns_seen[:, :, PITCH],
        )
        if not all((np.diff(array, axis=1) > 0).all() for array in rising):
            raise ValueError("a response that does not rise")
        middles = (self.moved[:, MIDDLE], self.seen[:, MIDDLE], self.turned[:, MIDDLE_TURN])
        at_rest = self.turns_seen[MIDDLE_TURN, MIDDLE_TURN]
        if any(middle.any() for middle in (*middles, at_rest)):
            raise ValueError("a response that moves a face at rest")
        if not (self.lowest <= self.highest).all():
            raise ValueError("a response without a range")


def believable(moved: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(…, s) ``seen`` made to rise, neither much slower nor much faster than ``moved`` (…, s), and
    to be 0 in the middle; where it is not finite the face is taken to do as asked."""
    steps = np.diff(moved)
    seen = np.where(np.isfinite(seen).all(-1, keepdims=True), seen, moved)
    taken = np.clip(np.diff(seen), LEAST_GAIN * steps, GREATEST_GAIN * steps)
    total = np.concatenate([np.zeros_like(taken[..., :1]), np.cumsum(taken, -1)], -1)
    middle = moved.shape[-1] // 2
    return total - total[..., middle : middle + 1]


def believable_turns(turned: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(5, 5, 3) what was seen of a turned head, so that yaw rises along yaw and pitch along pitch;
    combinations without a face (NaN) are taken to be the sum of their parts.

    Args:
        turned: (2, 5) motion given.
        seen: (5, 5, 3), as `PortraitResponse.turns_seen`.
    """
    alone = (seen[:, MIDDLE_TURN].copy(), seen[MIDDLE_TURN, :].copy())
    for axis, own in enumerate(alone):
        missing = ~np.isfinite(own).all(-1)
        own[missing] = 0
        own[missing, axis] = turned[axis, missing]
    parts = alone[0][:, None] + alone[1][None]
    seen = np.where(np.isfinite(seen), seen, parts)
    result = seen - seen[MIDDLE_TURN, MIDDLE_TURN]
    for axis in (YAW, PITCH):
        lines = np.moveaxis(result[:, :, axis], axis, -1)
        offset = lines[:, MIDDLE_TURN, None].clip(-GREATEST_OFFSET, GREATEST_OFFSET)
        straight = believable(np.broadcast_to(turned[axis], lines.shape), lines) + offset
        result[:, :, axis] = np.moveaxis(straight, -1, axis)
    return result


def interpolated(x: np.ndarray, knots: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(…) heights (…, s) at x (…), by straight lines through the rising ``knots`` (…, s), straight
    on beyond the ends."""
    knots, heights = np.broadcast_arrays(knots.astype(np.float64), heights.astype(np.float64))
    x = np.broadcast_to(x, knots.shape[:-1])
    last = np.clip((knots <= x[..., None]).sum(-1), 1, knots.shape[-1] - 1)[..., None]
    left = np.take_along_axis(knots, last - 1, -1)[..., 0]
    right = np.take_along_axis(knots, last, -1)[..., 0]
    low = np.take_along_axis(heights, last - 1, -1)[..., 0]
    high = np.take_along_axis(heights, last, -1)[..., 0]
    result: np.ndarray = low + (x - left) / (right - left) * (high - low)
    return result
