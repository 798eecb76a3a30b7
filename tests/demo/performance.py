"""A little performance of three seconds: someone is called, looks round, is glad and says hello.

Keyframes as an animator would set them at 24 frames a second: (frame, value) by channel, head
angles in degrees, shape keys from 0 to 1. What is not keyed rests. Between keys Blender eases.
The values stay mostly where the first direction matrix obeys (see the report of its training):
beyond that the rig would still move and the face would not.

    1-12   at ease; a breath, then a blink and a small dip before the turn (anticipation)
   12-30   turns to the picture's right along an arc, the eyes first; a doubtful "hm?"
   30-42   recognises: brows up, the jaw drops, a blink into the turn back
   42-58   says "hey, hey there!" with a nod on each accent
   58-72   a broad smile, a last blink; settles
"""

from __future__ import annotations

FRAMES_PER_SECOND = 24
LENGTH = 72
"""Frames of the performance; a longer film shows it again and again."""

Keys = tuple[tuple[int, float], ...]

HEAD: dict[str, Keys] = {
    "headYaw": (
        *((1, 0), (8, -1), (12, -4), (21, 21), (24, 19), (33, 19), (35, 20)),
        *((43, -9), (46, -7), (57, -6), (65, 4), (72, 0)),
    ),
    "headPitch": (
        *((1, 0), (7, 2.5), (12, -2), (17, -6), (22, 2), (28, -1), (32, 5), (35, 3), (39, -6)),
        *((43, 2), (46, 4), (49, -4), (52, 3), (55, -5), (60, 5), (66, 2), (72, 0)),
    ),
    "headRoll": ((1, 0), (12, 1), (21, -2), (33, -2), (43, 1.5), (60, -2), (67, -2), (72, 0)),
}

SHAPES: dict[str, Keys] = {
    # The gaze leads every turn by two or three frames and lets go when the head has arrived.
    "eyeLookOutLeft": ((10, 0), (12, 0.6), (19, 0.2), (33, 0.1), (37, 0)),
    "eyeLookInRight": ((10, 0), (12, 0.6), (19, 0.2), (33, 0.1), (37, 0)),
    "eyeLookInLeft": ((35, 0), (38, 0.25), (43, 0)),
    "eyeLookOutRight": ((35, 0), (38, 0.25), (43, 0)),
    # Doubt: one brow further down than the other; then both rise.
    "browDownLeft": ((19, 0), (23, 0.25), (28, 0.2), (31, 0)),
    "browDownRight": ((19, 0), (23, 0.12), (28, 0.1), (31, 0)),
    "browInnerUp": ((29, 0), (33, 0.4), (37, 0.25), (44, 0.3), (50, 0.1), (55, 0.2), (62, 0)),
    "browOuterUpLeft": ((29, 0), (33, 0.25), (38, 0.1), (58, 0), (62, 0.25), (72, 0)),
    "browOuterUpRight": ((29, 0), (33, 0.25), (38, 0.1), (58, 0), (62, 0.25), (72, 0)),
    # "oh!", then three syllables
    "jawOpen": (
        *((29, 0), (32, 0.22), (35, 0.12), (39, 0.02), (42, 0), (45, 0.27), (47, 0.06)),
        *((50, 0.25), (53, 0.05), (55, 0.16), (58, 0.04), (63, 0.12), (68, 0.05), (72, 0)),
    ),
    "mouthUpperUpLeft": ((42, 0), (45, 0.2), (47, 0.05), (58, 0), (63, 0.35), (72, 0)),
    "mouthUpperUpRight": ((42, 0), (45, 0.2), (47, 0.05), (58, 0), (63, 0.35), (72, 0)),
    "mouthLowerDownLeft": ((42, 0), (45, 0.2), (48, 0), (58, 0), (62, 0.2), (70, 0)),
    "mouthLowerDownRight": ((42, 0), (45, 0.2), (48, 0), (58, 0), (62, 0.2), (70, 0)),
    # The corners of a smile do not arrive together.
    "mouthSmileLeft": (
        *((33, 0), (40, 0.3), (45, 0.15), (54, 0.05), (57, 0.1), (62, 0.75)),
        *((68, 0.7), (72, 0.4)),
    ),
    "mouthSmileRight": (
        *((34, 0), (41, 0.25), (45, 0.15), (54, 0.05), (57, 0.1), (63, 0.7)),
        *((68, 0.65), (72, 0.4)),
    ),
    "eyeSquintLeft": ((58, 0), (63, 0.2), (72, 0.05)),
    "eyeSquintRight": ((58, 0), (63, 0.2), (72, 0.05)),
}

BLINKS = (5, 16, 38, 68)
"""Frames at which the eyes are shut: one at ease, one in each turn, one at the end."""

_BLINK: Keys = ((-2, 0), (0, 1), (3, 0))
"""Lids fall in two frames and rise in three, a little slower, as real ones do. The face shuts its
eyes a third of the way, where the trained range ends, so a longer blink would look asleep."""


def blink_keys() -> Keys:
    """The keys of both eyeBlink shapes."""
    return tuple((blink + offset, value) for blink in BLINKS for offset, value in _BLINK)


def shape_keys() -> dict[str, Keys]:
    """All shape keys with their keyframes."""
    return SHAPES | {"eyeBlinkLeft": blink_keys(), "eyeBlinkRight": blink_keys()}


def repeated(keys: Keys, length: int) -> Keys:
    """The keys again and again until a film of ``length`` frames is filled, in order."""
    rounds = -(-length // LENGTH)
    moved = [(frame + LENGTH * i, value) for i in range(rounds) for frame, value in keys]
    return tuple(moved)


KEY_POSES = (1, 16, 25, 33, 45, 50, 56, 64)
"""For the contact sheet: at ease, blink, doubtful, surprised, three sounds, glad."""
