"""A little performance of three seconds: someone is called, looks round, is glad and says hello.

Keyframes as an animator would set them at 24 frames a second: (frame, value) by channel, head
angles in degrees, shape keys from 0 to 1. What is not keyed rests. Between keys Blender eases.

    1-12   at ease; a breath, then a blink and a small dip before the turn (anticipation)
   12-26   turns to the picture's right along an arc; the eyes arrive first, brows follow
   26-38   recognises: brows up, jaw drops a little, then a blink into the turn back
   38-58   says "hel-lo, you!" with a nod on each accent
   58-72   a broad smile, head tilted, a last blink; settles
"""

from __future__ import annotations

FRAMES_PER_SECOND = 24
LENGTH = 72
"""Frames of the performance; a longer film shows it again and again."""

Keys = tuple[tuple[int, float], ...]

HEAD: dict[str, Keys] = {
    "headYaw": (
        (1, 0),
        (8, -1),
        (12, -4),
        (21, 22),
        (24, 20),
        (31, 20),
        (34, 21),
        (42, -9),
        (45, -7),
        (56, -5),
        (65, 5),
        (72, 0),
    ),
    "headPitch": (
        (1, 0),
        (7, 2.5),
        (12, -2),
        (17, -6),
        (22, 3),
        (27, 6),
        (33, 4),
        (38, -6),
        (42, 1),
        (45, 4),
        (48, -5),
        (52, 3),
        (55, -6),
        (60, 4),
        (66, 1),
        (72, 0),
    ),
    "headRoll": (
        (1, 0),
        (12, 2),
        (21, -5),
        (31, -4),
        (42, 4),
        (52, 2),
        (60, -6),
        (67, -7),
        (72, 0),
    ),
}

SHAPES: dict[str, Keys] = {
    # The gaze leads every turn by two or three frames and lets go when the head has arrived.
    "eyeLookOutLeft": ((10, 0), (12, 0.7), (20, 0.2), (33, 0.1), (37, 0)),
    "eyeLookInRight": ((10, 0), (12, 0.7), (20, 0.2), (33, 0.1), (37, 0)),
    "eyeLookInLeft": ((33, 0), (36, 0.6), (42, 0)),
    "eyeLookOutRight": ((33, 0), (36, 0.6), (42, 0)),
    "browInnerUp": ((20, 0), (27, 0.7), (33, 0.5), (40, 0.1), (47, 0.4), (54, 0.2), (64, 0)),
    "browOuterUpLeft": ((21, 0), (28, 0.7), (34, 0.4), (41, 0), (58, 0), (62, 0.5), (72, 0)),
    "browOuterUpRight": ((21, 0), (28, 0.7), (34, 0.4), (41, 0), (58, 0), (62, 0.3), (72, 0)),
    "browDownLeft": ((8, 0), (13, 0.3), (20, 0)),
    "browDownRight": ((8, 0), (13, 0.3), (20, 0)),
    # "oh!", then hel - lo - you
    "jawOpen": (
        (25, 0),
        (29, 0.45),
        (33, 0.25),
        (38, 0.03),
        (41, 0),
        (44, 0.6),
        (47, 0.15),
        (49, 0.4),
        (52, 0.12),
        (55, 0.3),
        (59, 0.1),
        (63, 0.25),
        (68, 0.08),
        (72, 0),
    ),
    "mouthFunnel": ((26, 0), (30, 0.35), (36, 0), (47, 0), (50, 0.5), (54, 0.2), (57, 0)),
    "mouthPucker": ((50, 0), (52, 0.3), (55, 0.8), (58, 0.1), (60, 0)),
    "mouthUpperUpLeft": ((41, 0), (44, 0.35), (47, 0.1), (57, 0), (63, 0.5), (72, 0.1)),
    "mouthUpperUpRight": ((41, 0), (44, 0.35), (47, 0.1), (57, 0), (63, 0.5), (72, 0.1)),
    "mouthLowerDownLeft": ((41, 0), (44, 0.4), (47, 0.1), (57, 0), (62, 0.35), (70, 0)),
    "mouthLowerDownRight": ((41, 0), (44, 0.4), (47, 0.1), (57, 0), (62, 0.35), (70, 0)),
    "mouthSmileLeft": ((30, 0), (39, 0.45), (45, 0.3), (55, 0.2), (62, 0.95), (68, 0.9), (72, 0.5)),
    "mouthSmileRight": (
        (31, 0),
        (40, 0.4),
        (45, 0.3),
        (55, 0.2),
        (63, 0.9),
        (68, 0.85),
        (72, 0.5),
    ),
    "eyeSquintLeft": ((34, 0), (40, 0.3), (52, 0.1), (63, 0.55), (72, 0.2)),
    "eyeSquintRight": ((34, 0), (40, 0.3), (52, 0.1), (63, 0.55), (72, 0.2)),
}

BLINKS = (5, 15, 37, 67)
"""Frames at which the eyes are shut: one at ease, one in each turn, one at the end."""

_BLINK: Keys = ((-3, 0), (0, 1), (1, 1), (5, 0))
"""Lids fall in three frames and rise in four, a little slower, as real ones do."""


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


KEY_POSES = (1, 15, 22, 30, 44, 50, 55, 64)
"""Frames for the contact sheet: at ease, blink, turned, surprised, three sounds, glad."""
