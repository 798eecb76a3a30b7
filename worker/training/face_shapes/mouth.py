"""What the lips do by themselves; amounts in cm for a face of Clay.unit."""

from __future__ import annotations

import numpy as np

from .sculpting import Clay, LipGrid, offsets_of, smooth_step

_NEVER = (152, 175, 1, 4, 5, 19, 94, 2, 6, 168)
"""Vertices that no shape of the lips moves: chin's tip, nose."""


def mouth_region(clay: Clay, reach: float = 3.6, top: float = -1.9) -> np.ndarray:
    """(468,) bool: skin around the lips that may follow them, nose and border left out."""
    corners = [61, 291, 0, 17, 13, 37, 267, 39, 269, 84, 314, 181, 405]
    free = clay.near(corners, reach) & (clay.face[:, 1] < top)
    free[clay.border] = False
    free[list(_NEVER)] = False
    return free


def cheek_region(clay: Clay) -> np.ndarray:
    """(468,) bool: the same and both cheeks up to the lower lids."""
    free = mouth_region(clay, 4.6, 0.9)
    nose = (np.abs(clay.face[:, 0]) < 1.9) & (clay.face[:, 1] > -2.2)
    return free & ~nose


def _side(lips: LipGrid, start: float = -0.15) -> np.ndarray:
    """(80,) 1 at the left corner, 0 from ``start`` of the way to the right one on."""
    return np.clip((lips.across - start) / (1 - start), 0.0, 1.0)


def _half(lips: LipGrid, blend: float = 0.5) -> np.ndarray:
    """(80,) 1 on the left half, 0 on the right; left and right add up to 1 everywhere."""
    return smooth_step(lips.across, -blend, blend)


def smile_left(clay: Clay, out: float, up: float) -> np.ndarray:
    """The left corner goes out and up along the teeth; the cheek above it bunches."""

    def move(lips: LipGrid) -> np.ndarray:
        rim = np.where(lips.part > 0, 1 - lips.depth, 0.0)
        rise, stretch = _side(lips) ** (2.0 - 0.7 * rim), _side(lips, -0.4) ** 1.25
        thin = -lips.part * (1 - lips.depth) * 0.10 * _half(lips) * (1 - rise)
        return offsets_of(out * stretch, up * rise + thin, -0.34 * rise - 0.1 * stretch, rise)

    cheek = {
        57: (0.92 * out, 0.96 * up, -0.22),
        212: (0.68 * out, 0.66 * up, 0.06),
        186: (0.70 * out, 0.86 * up, -0.28),
        216: (0.52 * out, 0.72 * up, 0.02),
        92: (0.48 * out, 0.50 * up, -0.10),
        206: (0.32 * out, 0.48 * up, 0.20),
        207: (0.42 * out, 0.56 * up, 0.24),
        205: (0.12 * out, 0.40 * up, 0.36),
        187: (0.18 * out, 0.38 * up, 0.22),
        50: (0.02 * out, 0.24 * up, 0.22),
        43: (0.62 * out, 0.66 * up, -0.12),
    }
    return clay.pull({**clay.lips(move), **clay.left(cheek)}, cheek_region(clay))


def frown_left(clay: Clay, down: float) -> np.ndarray:
    """The left corner goes down, and what lies below it is pushed out."""

    def move(lips: LipGrid) -> np.ndarray:
        side = _side(lips, 0.0)
        # The lower lip's rim goes with its end, or the skin would fold at the corner.
        fall = side ** np.where(lips.part < 0, 1.5 - 0.9 * (1 - lips.depth), 1.5)
        return offsets_of(0.10 * down * side**1.5, -down * fall, -0.08 * side**1.5, side)

    skin = {
        57: (0.10 * down, -0.94 * down, 0.0),
        43: (0.15 * down, -0.80 * down, 0.08),
        202: (0.15 * down, -0.45 * down, 0.12),
        186: (0.0, -0.55 * down, -0.02),
    }
    return clay.pull({**clay.lips(move), **clay.left(skin)}, mouth_region(clay))


def dimple_left(clay: Clay, back: float) -> np.ndarray:
    """The left corner is pressed back into the cheek, which rises around it."""

    def move(lips: LipGrid) -> np.ndarray:
        side = _side(lips, 0.0) ** 1.6
        thin = -lips.part * (1 - lips.depth) * 0.06 * side
        return offsets_of(0.62 * back * side, 0.16 * back * side + thin, -back * side, side)

    skin = {57: (0.25 * back, 0.1 * back, -0.75 * back), 212: (0.2 * back, 0.1 * back, 0.1 * back)}
    return clay.pull({**clay.lips(move), **clay.left(skin)}, mouth_region(clay, 2.8))


def stretch_left(clay: Clay, out: float, down: float) -> np.ndarray:
    """The left corner is drawn out and down along the teeth."""

    def move(lips: LipGrid) -> np.ndarray:
        side = _side(lips, -0.4) ** 1.25
        thin = -lips.part * (1 - lips.depth) * 0.14 * side * (1 - lips.across**2)
        fall = _side(lips, -0.4) ** np.where(lips.part < 0, 2.0 - 1.2 * (1 - lips.depth), 2.0)
        return offsets_of(out * side, -down * fall + thin, -0.55 * out * side**1.4, side)

    skin = {
        57: (0.9 * out, -1.0 * down, -0.42 * out),
        212: (0.6 * out, -0.5 * down, -0.1 * out),
        202: (0.6 * out, -1.1 * down, -0.15 * out),
    }
    return clay.pull({**clay.lips(move), **clay.left(skin)}, mouth_region(clay, 4.0))


def press_left(clay: Clay, thinner: float) -> np.ndarray:
    """The left half of the lips is pressed together: outer edges approach, the red goes in."""

    def move(lips: LipGrid) -> np.ndarray:
        half, side = _half(lips), _side(lips, 0.0)
        inwards = -lips.part * (1 - lips.depth) * thinner * half * (1 - lips.across**2)
        tight = 0.08 * side**1.5
        return offsets_of(0.14 * side**1.5, inwards + tight, -0.16 * half - 0.1 * side**2, half)

    skin = {57: (0.12, 0.1, -0.02), 212: (0.06, 0.06, 0.08), 43: (0.1, 0.06, 0.04)}
    return clay.pull({**clay.lips(move), **clay.left(skin)}, mouth_region(clay, 2.6))


def upper_up_left(clay: Clay, up: float) -> np.ndarray:
    """The left half of the upper lip is lifted off the teeth's edge, the fold beside it too."""

    def move(lips: LipGrid) -> np.ndarray:
        ends = np.where(lips.part > 0, 1.08 - 0.88 * np.abs(lips.across) ** 2, 0.0)
        half = _half(lips, 0.55) * np.where(lips.part == 0, 0.2, ends)
        # The edge of the lower lip is drawn up at its end: it hangs on the corner.
        hangs = np.where(lips.part < 0, 0.2 * np.clip(lips.across, 0, 1) ** 5, 0.0)
        return offsets_of(0.06 * half, up * (half + hangs), 0.10 * half * (1 - lips.depth), half)

    skin = {
        206: (0.06, 0.42 * up, 0.12),
        165: (0.04, 0.62 * up, 0.10),
        92: (0.05, 0.75 * up, 0.10),
        186: (0.05, 0.42 * up, 0.05),
        203: (0.03, 0.32 * up, 0.10),
    }
    return clay.pull({**clay.lips(move), **clay.left(skin)}, mouth_region(clay, 3.4, -0.9))


def lower_down_left(clay: Clay, down: float) -> np.ndarray:
    """The left half of the lower lip is drawn down off the lower teeth, a little outwards."""

    def move(lips: LipGrid) -> np.ndarray:
        ends = np.where(lips.part < 0, 1.08 - 0.88 * np.abs(lips.across) ** 2, 0.0)
        half = _half(lips, 0.55) * np.where(lips.part == 0, 0.2, ends)
        hangs = np.where(lips.part > 0, 0.2 * np.clip(lips.across, 0, 1) ** 5, 0.0)
        return offsets_of(0.10 * half, -down * (half + hangs), 0.08 * half * (1 - lips.depth), half)

    skin = {106: (0.1, -0.6 * down, 0.06), 182: (0.05, -0.62 * down, 0.06)}
    free = mouth_region(clay, 3.2) & (clay.face[:, 1] > -8.2)
    return clay.pull({**clay.lips(move), **clay.left(skin)}, free)


def pucker(clay: Clay, narrower: float) -> np.ndarray:
    """Both corners come in by half of ``narrower``; the shut lips push out into a round bud."""

    def move(lips: LipGrid) -> np.ndarray:
        bud = 1 - lips.across**2
        x = -0.5 * narrower * np.sign(lips.across) * np.abs(lips.across) ** 0.85
        taller = lips.part * (1 - lips.depth) * (0.10 + 0.10 * np.abs(lips.across))
        forward = 0.5 + 0.45 * bud + 0.12 * lips.depth * bud
        return offsets_of(x, taller, forward, bud)

    skin = {
        57: (-0.42 * narrower, 0.0, 0.32),
        212: (-0.22 * narrower, 0.0, 0.0),
        186: (-0.36 * narrower, 0.02, 0.36),
        43: (-0.36 * narrower, 0.0, 0.34),
        18: (0.0, 0.05, 0.18),
        164: (0.0, -0.02, 0.22),
    }
    return clay.pull({**clay.lips(move), **clay.both(skin)}, mouth_region(clay, 3.4))


def funnel(clay: Clay, opening: float) -> np.ndarray:
    """The lips part by ``opening`` cm and turn outwards, as for a long O."""

    def move(lips: LipGrid) -> np.ndarray:
        oval = (1 - np.abs(lips.across) ** 2.4) ** 0.75
        x = -0.30 * np.sign(lips.across) * np.abs(lips.across) ** 0.9
        flare = lips.part * (1 - lips.depth) * 0.14
        y = np.where(lips.part > 0, 0.40, -0.60) * opening * oval * np.abs(lips.part) + flare
        forward = 0.34 + 0.50 * oval + 0.10 * (1 - lips.depth) * oval
        return offsets_of(x, y, forward, oval)

    skin = {
        57: (-0.24, 0.0, 0.22),
        212: (-0.12, 0.0, 0.0),
        18: (0.0, -0.40 * opening, 0.18),
        164: (0.0, 0.16 * opening, 0.25),
    }
    return clay.pull({**clay.lips(move), **clay.both(skin)}, mouth_region(clay, 3.8))


def mouth_left(clay: Clay, sideways: float) -> np.ndarray:
    """The shut mouth slides to the left along the teeth; mouthRight undoes it exactly."""

    def move(lips: LipGrid) -> np.ndarray:
        x = clay.face[lips.vertices, 0]
        along = offsets_of(1.0 - 0.06 * np.abs(lips.across), 0.04 * x, -0.30 * x, x)
        return sideways * along

    skin = {57: 0.82, 43: 0.86, 186: 0.84, 212: 0.5, 202: 0.55, 18: 0.62, 164: 0.55, 206: 0.3}
    handles = {}
    for vertex, share in skin.items():
        for number in {vertex, int(clay.mirror[vertex])}:
            x = clay.face[number, 0]
            handles[number] = (sideways * share, 0.03 * x * share, -0.2 * sideways * x * share)
    free = mouth_region(clay, 4.2)
    return clay.pull({**clay.lips(move), **handles}, free)


def roll_upper(clay: Clay, amount: float) -> np.ndarray:
    """The red of the upper lip turns in over the teeth; its outer edge comes down to the slit."""
    return _roll(clay, amount, 1)


def roll_lower(clay: Clay, amount: float) -> np.ndarray:
    """The red of the lower lip turns in over the teeth; its outer edge comes up to the slit."""
    return _roll(clay, amount, -1)


def _roll(clay: Clay, amount: float, part: int) -> np.ndarray:
    """How far each row goes towards the slit and back, as a sheet rolled over an edge.

    The slit itself bends a little the other way, so that the lip which is not rolled shows.
    """
    slit = {1: 13, -1: 14}[part]

    def move(lips: LipGrid) -> np.ndarray:
        ends = (1 - np.abs(lips.across) ** 3) * np.where(lips.part == part, 1.0, 0.0)
        inner = _inner_edge(clay, lips)
        to_slit = clay.face[inner, 1] - clay.face[lips.vertices, 1]
        close = np.interp(lips.depth, [0, 1 / 3, 2 / 3, 1], [0.68, 0.84, 0.92, 0.0])
        back = np.interp(lips.depth, [0, 1 / 3, 2 / 3, 1], [0.42, 0.72, 0.80, 0.72])
        y = amount * ends * close * to_slit
        return offsets_of(0, y, -amount * ends * back * 0.85, ends)

    beyond = {1: {164: (0.0, -0.10, -0.12)}, -1: {18: (0.0, 0.22, -0.04)}}[part]
    handles = {**clay.lips(move), **clay.both(beyond)}
    side = clay.face[:, 1] > clay.face[slit, 1] if part > 0 else clay.face[:, 1] < -4.0
    return clay.pull(handles, mouth_region(clay, 2.6) & side)


def _inner_edge(clay: Clay, lips: LipGrid) -> np.ndarray:
    """(80,) vertex number of the inner edge in the column of each vertex."""
    inner = {
        (part, column): vertex
        for vertex, column, depth, part in zip(
            lips.vertices, lips.across, lips.depth, lips.part, strict=True
        )
        if depth == 1
    }
    keys = zip(lips.part, lips.across, strict=True)
    return np.array([inner[key] for key in keys])


def shrug_upper(clay: Clay, up: float) -> np.ndarray:
    """The upper lip is pushed up and out towards the nose, its edge a little less than its rim."""

    def move(lips: LipGrid) -> np.ndarray:
        ends = 1 - np.abs(lips.across) ** 2.5
        # Shut lips stick to each other: the lower one is drawn after the upper one's edge.
        lift = np.where(lips.part > 0, 1.0 - 0.55 * lips.depth, 0.45 * lips.depth**2)
        forward = np.where(lips.part > 0, 0.34 + 0.14 * lips.depth, 0.22 * lips.depth)
        return offsets_of(0, up * ends * lift, ends * forward, ends)

    skin = {164: (0.0, 0.45 * up, 0.16), 165: (0.0, 0.4 * up, 0.1), 92: (0.0, 0.4 * up, 0.1)}
    return clay.pull({**clay.lips(move), **clay.both(skin)}, mouth_region(clay, 2.8))


def shrug_lower(clay: Clay, up: float) -> np.ndarray:
    """The chin's muscle pushes the lower lip up and out; the upper lip gives way."""

    def move(lips: LipGrid) -> np.ndarray:
        middle = (1 - lips.across**2) ** 1.1
        lower = up * middle * (1.0 - 0.25 * (1 - lips.depth))
        upper = up * middle * (0.55 + 0.45 * lips.depth)
        y = np.where(lips.part < 0, lower, np.where(lips.part > 0, upper, 0.0))
        forward = middle * np.where(lips.part < 0, 0.42 - 0.1 * lips.depth, 0.12)
        return offsets_of(0, y, forward, middle)

    skin = {
        18: (0.0, 0.95 * up, 0.16),
        200: (0.0, 0.72 * up, 0.22),
        199: (0.0, 0.42 * up, 0.12),
        201: (0.0, 0.68 * up, 0.18),
        208: (0.0, 0.36 * up, 0.08),
        164: (0.0, 0.2 * up, 0.04),
    }
    return clay.pull({**clay.lips(move), **clay.both(skin)}, mouth_region(clay, 3.6))
