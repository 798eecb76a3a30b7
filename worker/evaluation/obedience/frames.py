"""Which frames of a portrait are looked at, and what each of them asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from photorig.shared.parameters.schema import ARKIT_NAMES

REST = "rest"
STEPS = 8
"""How many equal steps a sweep takes from rest to full motion."""
SMILE = 0.8
"""How far the smile goes that is asked for alone and beside other things."""

Values = Mapping[str, float]


def both(name: str, amount: float = 1.0) -> dict[str, float]:
    """A control that each side has, on both sides."""
    return {f"{name}Left": amount, f"{name}Right": amount}


LOOKS: dict[str, dict[str, float]] = {
    "look left": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "look right": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "look up": both("eyeLookUp"),
    "look down": both("eyeLookDown"),
}
"""Left and right are the subject's, as in the controls' names."""
BROWS_UP = {"browInnerUp": 1.0, **both("browOuterUp")}
_LAUGH = {"jawOpen": 0.35, **both("cheekSquint", 0.6), **both("eyeSquint", 0.4)}

TOGETHER: dict[str, dict[str, float]] = {
    "blink": both("eyeBlink"),
    "smile": both("mouthSmile"),
    "brows up": BROWS_UP,
    "brows down": both("browDown"),
    "frown": both("mouthFrown"),
    "sneer": both("noseSneer"),
    "upper lip": both("mouthUpperUp"),
    **LOOKS,
    "jaw open, lips closed": {"jawOpen": 1.0, "mouthClose": 1.0},
}
"""Full motion that takes more than one control."""

BESIDE: dict[str, dict[str, float]] = {
    "gaze": LOOKS["look left"],
    "brows": BROWS_UP,
    "blink": TOGETHER["blink"],
    "laugh": _LAUGH,
}
"""What a smile is asked for beside."""

POSES: dict[str, dict[str, float]] = {
    "yaw -25": {"headYaw": -25.0},
    "yaw -12": {"headYaw": -12.0},
    "yaw +12": {"headYaw": 12.0},
    "yaw +25": {"headYaw": 25.0},
    "pitch -12": {"headPitch": -12.0},
    "pitch +12": {"headPitch": 12.0},
    "roll +15": {"headRoll": 15.0},
}

TURNED = "jaw forward, turned"
"""From the front a jaw that comes forward is hardly seen."""

SWEEPS: dict[str, dict[str, float]] = {
    "jawOpen": {"jawOpen": 1.0},
    "mouthPucker": {"mouthPucker": 1.0},
    "smile": TOGETHER["smile"],
    "blink": TOGETHER["blink"],
}
"""What is asked for from rest to full motion in equal steps."""


@dataclass(frozen=True)
class Frame:
    """A frame to render, in relative mode.

    Attributes:
        label: by which its figures find it.
        values: by parameter id; what is missing is at rest.
    """

    label: str
    values: Values


def smile_beside(what: str) -> str:
    """The label of the frame that smiles beside something; "" for the smile alone."""
    return f"smile {SMILE:g} beside {what}" if what else f"smile {SMILE:g}"


def step_label(name: str, step: int) -> str:
    """The label of a step 1 … STEPS of a sweep; the last is that of the full motion."""
    return name if step == STEPS else f"{name} {step}/{STEPS}"


def all_frames() -> list[Frame]:
    """Rest first, then all that is looked at in the aligned crop."""
    frames = [Frame(REST, {})]
    frames += [Frame(name, {name: 1.0}) for name in ARKIT_NAMES]
    frames += [Frame(label, values) for label, values in TOGETHER.items()]
    smile = both("mouthSmile", SMILE)
    frames.append(Frame(smile_beside(""), smile))
    frames += [Frame(smile_beside(what), {**values, **smile}) for what, values in BESIDE.items()]
    frames.append(Frame("laugh", _LAUGH))
    frames += [Frame(label, values) for label, values in POSES.items()]
    frames.append(Frame(TURNED, {"jawForward": 1.0, **POSES["yaw +25"]}))
    for name, values in SWEEPS.items():
        for step in range(1, STEPS):
            part = {key: value * step / STEPS for key, value in values.items()}
            frames.append(Frame(step_label(name, step), part))
    return frames


_WHOLE = (
    *(REST, "jawOpen", "blink", "eyeBlinkLeft", "eyeBlinkRight", "smile", "mouthSmileLeft"),
    *("mouthSmileRight", "browInnerUp", "mouthPucker", "mouthFunnel", "frown", "upper lip"),
    *("look left", "look up", "yaw -25", "yaw -12", "yaw +12", "yaw +25", "pitch -12", "pitch +12"),
)


def whole_frames() -> list[Frame]:
    """What is looked at once more in the whole photo."""
    by_label = {frame.label: frame for frame in all_frames()}
    return [by_label[label] for label in _WHOLE]


def places(frames: Sequence[Frame]) -> dict[str, int]:
    """Where each label stands."""
    return {frame.label: place for place, frame in enumerate(frames)}
