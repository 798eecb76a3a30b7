"""Colours of high dynamic range and wide gamut to sRGB.

HLG and PQ hold light far above white. Reference white, at 203 cd/m² in PQ and three quarters of
HLG's signal (ITU-R BT.2408, 2.2), becomes sRGB's; what is brighter rolls off instead of being cut.
HLG is taken as what the camera saw, which is how footage of ordinary range is put into it and back
(BT.2408, 5.1.3.2).
"""

from __future__ import annotations

import numpy as np

HLG, PQ, SDR = "HLG", "PQ", "SDR"
_TRANSFERS = {18: HLG, 16: PQ}
"""By number in ITU-T H.273, table 3."""

WIDE_PRIMARIES = 9
"""BT.2020 in ITU-T H.273, table 2."""

_STEPS = 4096
_KNEE = 0.8
"""Of white; below it light stays as it is."""
_WHITE_NITS = 203.0
_TO_SRGB = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349]]
    + [[-0.018151, -0.100579, 1.118730]],
    np.float32,
)
"""BT.2020 to BT.709 primaries, linear (ITU-R BT.2087)."""


def transfer_of(number: int, primaries: int) -> str:
    """Which curve a picture has, by its numbers in H.273; "" where it is sRGB's or near it."""
    return _TRANSFERS.get(number, SDR if primaries == WIDE_PRIMARIES else "")


def to_srgb(signal: np.ndarray, transfer: str, *, wide: bool = True) -> np.ndarray:
    """(h, w, 3) float32 of 0 to 1, as encoded by ``transfer``, to (h, w, 3) uint8 sRGB.

    Args:
        wide: the primaries are those of BT.2020, else those of sRGB.
    """
    levels, peak = _light(transfer)
    indices = np.rint(np.clip(signal, 0, 1) * np.float32(_STEPS - 1)).astype(np.uint16)
    light = levels[indices]
    if wide:
        light = np.maximum(light @ _TO_SRGB.T, 0)
    if peak > 1:
        light *= _rolled_off(light.max(axis=2, keepdims=True), peak)
    steps = np.rint(np.sqrt(np.clip(light, 0, 1)) * np.float32(_STEPS - 1)).astype(np.uint16)
    return _encoded()[steps]


def _light(transfer: str) -> tuple[np.ndarray, float]:
    """Light by signal, (_STEPS,) float32 with reference white at 1, and the brightest of it."""
    signal = np.linspace(0, 1, _STEPS)
    if transfer == HLG:  # BT.2100, table 5: inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        light /= np.interp(0.75, signal, light)
    elif transfer == PQ:  # BT.2100, table 4: EOTF
        m1, m2 = 2610 / 16384, 2523 / 32
        c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
        power = signal ** (1 / m2)
        light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / _WHITE_NITS
    else:  # BT.1886, which is what displays of ordinary range do
        light = signal**2.4
    # Hardly any footage has more than 1000 cd/m², and room for it would cost all the rest.
    return light.astype(np.float32), min(float(light[-1]), 1000 / _WHITE_NITS)


def _rolled_off(brightest: np.ndarray, peak: float) -> np.ndarray:
    """By how much pixels of this brightest channel are dimmed: Reinhard's curve above the knee."""
    above = np.maximum(brightest - _KNEE, 0) / (1 - _KNEE)
    end = (peak - _KNEE) / (1 - _KNEE)
    curve = _KNEE + (1 - _KNEE) * above * (1 + above / end**2) / (1 + above)
    factor: np.ndarray = np.where(above > 0, curve / np.maximum(brightest, 1e-6), 1)
    return factor.astype(np.float32)


def _encoded() -> np.ndarray:
    """(_STEPS,) uint8 sRGB by the root of light, which spends its steps where they are seen."""
    light = np.linspace(0, 1, _STEPS) ** 2
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)


# --- pictures, which say it in a box or chunk of their own

CODED_COLOURS_WITHIN = 1 << 16
"""Bytes from a file's start in which it says so: before its pixels."""


def coded_transfer(beginning: bytes) -> tuple[str, bool]:
    """The curve of a PNG (cICP) or AVIF (nclx) picture, and whether its primaries are BT.2020's."""
    if beginning.startswith(b"\x89PNG"):
        place = beginning.find(b"\0\0\0\x04cICP", 0, max(beginning.find(b"IDAT"), 0))
        numbers = beginning[place + 8 : place + 10] if place >= 0 else b""
    else:
        place = beginning.find(b"colrnclx") if beginning[4:8] == b"ftyp" else -1
        # Two bytes each, of which the first is 0.
        numbers = beginning[place + 9 : place + 12 : 2] if place >= 0 else b""
    if len(numbers) < 2:
        return "", False
    primaries, transfer = numbers
    return transfer_of(transfer, primaries), primaries == WIDE_PRIMARIES
