"""cheekPuff, cheekSquint and noseSneer."""

from __future__ import annotations

import numpy as np

from .mouth import cheek_region, mouth_region
from .sculpting import Clay, LipGrid, offsets_of

ALA = (48, 64, 98, 240, 235, 219, 115, 218, 166, 59, 75, 60, 79, 129, 102, 49)
"""Right wing of the nose and the rim of its nostril, which move as one piece."""


def cheek_puff(clay: Clay, out: float) -> np.ndarray:
    """Both cheeks are blown up, out and forwards; the shut lips are pushed out a little."""

    def move(lips: LipGrid) -> np.ndarray:
        bulge = 0.16 + 0.10 * np.abs(lips.across)
        return offsets_of(-0.10 * lips.across, 0.0, bulge, bulge)

    skin = {
        187: (0.95 * out, 0.02 * out, 0.42 * out),
        207: (0.85 * out, 0.0, 0.72 * out),
        214: (0.92 * out, -0.06 * out, 0.42 * out),
        205: (0.42 * out, 0.05 * out, 0.55 * out),
        212: (0.60 * out, -0.04 * out, 0.74 * out),
        216: (0.48 * out, 0.0, 0.72 * out),
        192: (0.86 * out, -0.05 * out, 0.20 * out),
        147: (0.62 * out, 0.02 * out, 0.08 * out),
        57: (0.18 * out, 0.0, 0.42 * out),
    }
    free = cheek_region(clay) | clay.near([187, 411, 192, 416, 214, 434], 2.8)
    free &= (clay.face[:, 1] < 0.4) & (clay.face[:, 1] > -8.0)
    free[clay.border] = False
    nose = (np.abs(clay.face[:, 0]) < 1.9) & (clay.face[:, 1] > -2.3)
    return clay.pull({**clay.lips(move), **clay.both(skin)}, free & ~nose)


def cheek_squint_left(clay: Clay, up: float) -> np.ndarray:
    """The left cheek's apple rises and pushes the lower lid up from below."""
    skin = {
        50: (0.04, 0.85 * up, 0.26),
        101: (0.02, 0.80 * up, 0.24),
        118: (0.0, 0.95 * up, 0.24),
        117: (-0.04, 0.85 * up, 0.18),
        119: (0.0, 0.85 * up, 0.20),
        229: (0.0, 0.72 * up, 0.14),
        230: (0.0, 0.66 * up, 0.12),
        228: (-0.04, 0.66 * up, 0.08),
        205: (0.06, 0.45 * up, 0.20),
        123: (0.0, 0.5 * up, 0.10),
    }
    lid = {145: 0.34, 144: 0.32, 153: 0.28, 163: 0.24, 154: 0.16, 7: 0.12, 155: 0.06}
    skin |= {vertex: (0.0, share * up, 0.03) for vertex, share in lid.items()}
    free = clay.near(clay.left({50: (0, 0, 0), 118: (0, 0, 0)}), 3.4)
    free &= (clay.face[:, 0] > 1.7) & ~upper_eye(clay)
    free[clay.border] = False
    return clay.pull(clay.left(skin), free)


def upper_eye(clay: Clay) -> np.ndarray:
    """(468,) bool: upper lids, corners of the eyes and all above, on both sides."""
    numbers = np.unique(np.concatenate([clay.upper_lid, clay.mirror[clay.upper_lid]]))
    result = clay.face[:, 1] > 2.75
    result[numbers] = True
    return result


def nose_sneer_left(clay: Clay, up: float) -> np.ndarray:
    """The left wing of the nose is lifted as one piece, the lip and the fold beside it along."""
    wing = dict.fromkeys(ALA, (0.07 * up, up, -0.04 * up))

    def move(lips: LipGrid) -> np.ndarray:
        side = np.exp(-(((lips.across - 0.42) / 0.42) ** 2)) * np.where(lips.part > 0, 1.0, 0.0)
        return offsets_of(0.03 * side, up * (0.32 - 0.16 * lips.depth) * side, 0.06 * side, side)

    skin = {
        203: (0.08 * up, 0.74 * up, 0.16),
        165: (0.05 * up, 0.52 * up, 0.10),
        206: (0.05 * up, 0.42 * up, 0.14),
        36: (0.02 * up, 0.42 * up, 0.18),
        142: (0.0, 0.62 * up, 0.12),
        126: (0.0, 0.52 * up, 0.10),
        209: (0.02 * up, 0.95 * up, 0.03),
        131: (0.02 * up, 0.85 * up, 0.0),
        198: (0.0, 0.55 * up, 0.06),
        239: (0.05 * up, 0.90 * up, -0.03),
        237: (0.04 * up, 0.80 * up, -0.02),
        97: (0.0, 0.55 * up, -0.02),
        99: (0.02 * up, 0.72 * up, -0.02),
        217: (0.0, 0.30 * up, 0.05),
        1: (0.0, 0.10 * up, 0.0),
        2: (0.0, 0.16 * up, 0.0),
    }
    free = mouth_region(clay, 3.4, -1.0) | clay.near(clay.left({48: (0, 0, 0)}), 3.0)
    free &= (clay.face[:, 0] > -1.2) & (clay.face[:, 1] < 1.9)
    return clay.pull({**clay.lips(move), **clay.left({**wing, **skin})}, free)
