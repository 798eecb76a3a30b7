# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of the face: which there are, where they lie on the board, and what they mean.

A control is a bone that slides. Its two axes are numbers from -1 to 1, and each direction of them
is one or two parameters of the face: a mouth's corner goes up for a smile and down for a frown. No
bpy in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PREFIX = "photorig_"
"""Of the bones' names, so that nothing else of a rig is called so."""
TRAVEL = 0.02
"""Metres that a control slides for a full expression."""
SIDES = {"L": "Left", "R": "Right"}


@dataclass(frozen=True)
class Control:
    """A bone of the board.

    Attributes:
        bone: its name, with .L and .R as Blender flips it.
        label: what stands below its track.
        place: travels to image right of and above the middle of the board.
        right, left, up, down: the parameters that each direction drives, 1 at its end; none where
            the control does not go there.
    """

    bone: str
    label: str
    place: tuple[float, float]
    right: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Least and highest of each axis, in travels."""
        return (-bool(self.left), +bool(self.right)), (-bool(self.down), +bool(self.up))

    @property
    def directions(self) -> Iterator[tuple[int, float, str]]:
        """Axis, sign and parameter of all that it drives."""
        for axis, sign, names in (
            (0, 1.0, self.right),
            (0, -1.0, self.left),
            (1, 1.0, self.up),
            (1, -1.0, self.down),
        ):
            for name in names:
                yield axis, sign, name


def _middle(
    name: str, label: str, place: tuple[float, float], **directions: tuple[str, ...]
) -> list[Control]:
    return [Control(PREFIX + name, label, place, **directions)]


def _pair(
    name: str,
    label: str,
    place: tuple[float, float],
    outwards: str = "",
    up: str = "",
    down: str = "",
) -> list[Control]:
    """The left control, at image right, and its mirror image."""
    pair = []
    for letter, side in SIDES.items():
        out = (outwards + side,) if outwards else ()
        is_left = letter == "L"
        pair.append(
            Control(
                f"{PREFIX}{name}.{letter}",
                label,
                place if is_left else (-place[0], place[1]),
                right=out if is_left else (),
                left=() if is_left else out,
                up=(up + side,) if up else (),
                down=(down + side,) if down else (),
            )
        )
    return pair


def _eyes(place: tuple[float, float]) -> list[Control]:
    """One eye alone; what both do together is the gaze."""
    directions = {
        letter: {
            "right": (f"eyeLook{'Out' if letter == 'L' else 'In'}{side}",),
            "left": (f"eyeLook{'In' if letter == 'L' else 'Out'}{side}",),
            "up": (f"eyeLookUp{side}",),
            "down": (f"eyeLookDown{side}",),
        }
        for letter, side in SIDES.items()
    }
    mirrored = {"L": place, "R": (-place[0], place[1])}
    return [
        Control(f"{PREFIX}eye.{letter}", "Eye", mirrored[letter], **directions[letter])
        for letter in SIDES
    ]


CONTROLS: tuple[Control, ...] = (
    *_middle("brow", "Brows", (0, 7), up=("browInnerUp",)),
    *_pair("brow", "Brow", (3.25, 7), up="browOuterUp", down="browDown"),
    *_middle(
        "gaze",
        "Gaze",
        (0, 4),
        right=("eyeLookOutLeft", "eyeLookInRight"),
        left=("eyeLookInLeft", "eyeLookOutRight"),
        up=("eyeLookUpLeft", "eyeLookUpRight"),
        down=("eyeLookDownLeft", "eyeLookDownRight"),
    ),
    *_eyes((3.25, 4)),
    *_pair("lid", "Lid", (5.25, 4), up="eyeWide", down="eyeBlink"),
    *_pair("squint", "Squint", (6.75, 3.5), up="eyeSquint"),
    *_middle("puff", "Puff", (0, 1.9), up=("cheekPuff",)),
    *_pair("nose", "Nose", (1.5, 1.9), up="noseSneer"),
    *_pair("cheek", "Cheek", (3.25, 1.9), up="cheekSquint"),
    *_middle(
        "upper_lip", "Upper Lip", (0, -0.3), up=("mouthShrugUpper",), down=("mouthRollUpper",)
    ),
    *_middle("mouth", "Mouth", (0, -2.6), right=("mouthLeft",), left=("mouthRight",)),
    *_middle(
        "lower_lip", "Lower Lip", (0, -4.7), up=("mouthShrugLower",), down=("mouthRollLower",)
    ),
    *_pair("upper_lip", "Raise", (2.25, -1.4), up="mouthUpperUp"),
    *_pair("lower_lip", "Lower", (2.25, -3.2), down="mouthLowerDown"),
    *_pair(
        "corner",
        "Corner",
        (4.25, -2.6),
        outwards="mouthStretch",
        up="mouthSmile",
        down="mouthFrown",
    ),
    *_pair("dimple", "Dimple", (6.75, -1.4), up="mouthDimple"),
    *_pair("press", "Press", (6.75, -4), up="mouthPress"),
    *_middle("jaw", "Jaw", (0, -7.2), right=("jawLeft",), left=("jawRight",), down=("jawOpen",)),
    *_middle("tongue", "Tongue", (2.75, -8.2), up=("tongueOut",)),
    *_middle("close", "Close", (4.75, -8.2), up=("mouthClose",)),
    *_middle("jaw_forward", "Jaw Fwd", (6.75, -8.2), up=("jawForward",)),
    *_middle("pucker", "Pucker", (-2.75, -8.2), up=("mouthPucker",)),
    *_middle("funnel", "Funnel", (-4.75, -8.2), up=("mouthFunnel",)),
)
"""Laid out like the face that is looked at: its left is at image right."""


@dataclass(frozen=True)
class Axis:
    """One axis of a control that drives a parameter.

    Attributes:
        bone: the control.
        axis: 0 to image right, 1 up.
        sign: 1 or -1, the direction in which the parameter grows.
    """

    bone: str
    axis: int
    sign: float


def axes_by_parameter() -> dict[str, list[Axis]]:
    """What drives each parameter: the sum of these, held to 0 to 1."""
    axes: dict[str, list[Axis]] = {}
    for control in CONTROLS:
        for axis, sign, parameter in control.directions:
            axes.setdefault(parameter, []).append(Axis(control.bone, axis, sign))
    return axes


def board_pose(values: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Where each control stands for an expression, in travels; (0, 0) at rest.

    What both eyes do the gaze does, and each eye the rest. Of two parameters that are opposite
    directions of one axis only the difference can be shown.

    Args:
        values: coefficients by parameter; those that are missing are 0.
    """
    pose: dict[str, tuple[float, float]] = {}
    left = dict(values)
    for control in CONTROLS:  # the gaze before each eye
        place = [0.0, 0.0]
        for axis, (ahead, back) in enumerate(
            ((control.right, control.left), (control.up, control.down))
        ):
            least, most = control.limits[axis]
            wanted = _shared(left, ahead) - _shared(left, back)
            place[axis] = min(max(wanted, least), most)
            for names, amount in ((ahead, place[axis]), (back, -place[axis])):
                left.update({name: left.get(name, 0.0) - max(amount, 0.0) for name in names})
        pose[control.bone] = (place[0], place[1])
    return pose


def _shared(values: Mapping[str, float], names: tuple[str, ...]) -> float:
    """What all of these parameters have at least."""
    return min((values.get(name, 0.0) for name in names), default=0.0)


def expression_of(pose: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The coefficients that a pose of the board gives, each from 0 to 1."""
    return {
        parameter: min(max(sum(a.sign * pose.get(a.bone, (0, 0))[a.axis] for a in axes), 0.0), 1.0)
        for parameter, axes in axes_by_parameter().items()
    }
