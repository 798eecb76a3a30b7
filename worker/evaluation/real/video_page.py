"""The report on a video as a page."""

from __future__ import annotations

from typing import Any

from ..metrics.goals import judge_of
from ..metrics.published import DIRECTIONS_POSTER, HYPERREENACT, Published
from ..report.markup import Content, definitions, number, picture, table, tag, whole_page
from ..report.page_parts import goals_table, made
from .video_figures import goals_of

TITLE = "How a recording drives a face"
DEFINITIONS: dict[str, str] = {
    "self": "The first frame that shows the face is fitted like any photo. What Net3D measures on "
    "every other frame (as `photorig analyze` does) drives it in absolute mode, whole photos, the "
    "face put back. Right is the real frame at that time.",
    "cross": "Relative mode: the change since the driver's own first frame drives the source. "
    "Right is what a family reads off the source's first frame, plus what it reads as the "
    "driver's change. Two faces move differently by the same muscles, so this is not free of "
    "error for anybody.",
    "identity": "Cosine between a family's descriptors. To the frame: driven against the real "
    "frame at that time, the published tables' CSIM. To frame 0: against the fitted frame; kept "
    "is the mean over the driven frames ÷ the mean over the real ones.",
    "pose": "Mean absolute difference of yaw, pitch and roll from the real frame, by a family's "
    "own measure; geodesic is the angle of the rotation between the two. Untouched: the photo "
    "left as it is.",
    "expression": "Mean |difference| of the ARKit coefficients (0 to 1) that the family sees; "
    "mouth and eyes: of their opening, in distances between the eyes.",
    "L1": "Mean |difference| of pixels in levels of 255 over the real frame's face (what Net3D's "
    "outermost landmarks enclose), after putting back. Light that changes counts too.",
    "jitter": "Frames in a row. Landmarks: mean ‖l(t+1) − 2l(t) + l(t−1)‖ in eye distances; pose: "
    "standard deviation of what is faster than 5 Hz, degrees. Real: the recording itself. Driven: "
    "by each frame's own measurement. Smooth drive: by the measurements after a Gaussian of 80 ms; "
    "all of them hold the trembling of the family itself.",
    "the same drive": "Requests of three frames, repeated backwards: how many gave the same bytes.",
}
DIFFERENCES = (
    "The published figures are means over the whole VoxCeleb1 test set at 256², judged by ArcFace "
    "and DECA; ours are of this one recording, judged by other networks with other scales: their "
    "cosines, degrees and coefficients are not the same units. The two published tables do not "
    "even agree with each other on the same system. What may be compared is the order of magnitude "
    "of the pose error, and how much of the real frames' own identity is kept."
)


def video_page(report: dict[str, Any]) -> str:
    """The page of a report, as read back from its JSON."""
    section = report["video"]
    first = judge_of(report)
    parts: list[Content] = [
        tag("p", _intro(section)),
        tag("h2", "Goals"),
        goals_table(goals_of(section, first)),
        *[picture(figure["file"], figure["caption"]) for figure in report.get("pictures", [])],
        tag("h2", "Driven by their own recording"),
        _figures_table(section["self"]["families"], "real_identity_to_source", "real frames"),
        tag("p", _distance(section["self"]["face_l1"])),
        *_by_yaw(section["self"]["families"]),
        *_jitter(section["self"]["jitter"]),
    ]
    if "cross" in section:
        parts += [
            tag("h2", "Driven by somebody else's recording"),
            _figures_table(section["cross"]["families"], "identity_to_driver", "to the driver"),
        ]
    parts += [*_published(section, first), definitions(DEFINITIONS), *made(report)]
    return whole_page(TITLE, parts)


def _intro(section: dict[str, Any]) -> str:
    sentences = [_recording(section["source"], "Source")]
    if "driver" in section:
        sentences.append(_recording(section["driver"], "Driver"))
    fit, plan = section["fit"], section["plan"]
    sentences.append(
        f"Frame 0 fitted ({section['way']}) in {number(fit['processor_seconds'], 0)} processor "
        f"seconds; of {plan['length']} frames each {plan['every']}th compared, {plan['run']} in a "
        f"row for jitter. {section.get('note', '')}"
    )
    return " ".join(sentences)


def _recording(facts: dict[str, Any], what: str) -> str:
    shows = f" ({facts['shows']}; {facts['source']})" if facts["shows"] else ""
    return (
        f"{what}: {facts['file']}{shows}, {facts['width']} × {facts['height']} at "
        f"{facts['frames_per_second']:.4g} frames a second; face not seen in "
        f"{facts['not_seen']} of {facts['followed']} frames."
    )


def _figures_table(families: dict[str, Any], other: str, label: str) -> Content:
    header = ["", *families]
    rows: list[list[Content]] = []

    def add(name: str, *path: str, digits: int = 3, unit: str = "") -> None:
        values: list[Content] = []
        for figures in families.values():
            value: Any = figures
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            values.append(number(value, digits, unit))
        rows.append([name, *values])

    add("frames", "frames", digits=0)
    add("driven frames without a face", "without_a_face", digits=0)
    add("identity to the real frame", "identity_to_frame")
    add("identity to frame 0", "identity_to_source")
    add(f"identity, {label}", other)
    add("identity kept", "identity_kept")
    for axis in ("headYaw", "headPitch", "headRoll"):
        word = axis.removeprefix("head").lower()
        add(f"{word} error", "pose", axis, "mean", digits=2, unit="°")
        add(f"{word} error, 95th percentile", "pose", axis, "percentile_95", digits=2, unit="°")
    add("pose error, mean of axes", "pose", "mean_of_axes", digits=2, unit="°")
    add("pose error, geodesic", "pose", "geodesic", "mean", digits=2, unit="°")
    add("untouched: mean of axes", "untouched_pose", "mean_of_axes", digits=2, unit="°")
    for name, start in (("", "expression"), ("untouched: ", "untouched_expression")):
        add(f"{name}expression error", start, "error")
        add(f"{name}mouth error", start, "mouth_aperture", "mean")
        add(f"{name}eye error", start, "eye_opening", "mean")
    return table(header, rows)


def _distance(values: dict[str, float | None]) -> str:
    return (
        f"L1 on the face after putting back: {number(values['driven'], 1)} of 255; photo left as "
        f"it is: {number(values['untouched'], 1)}."
    )


def _by_yaw(families: dict[str, Any]) -> list[Content]:
    rows: list[list[Content]] = []
    for name, figures in families.items():
        for step in figures["identity_by_yaw"]:
            place = f"{name}, yaw changed by {step['low']:.0f}–{step['high']:.0f}°"
            cells = [number(step["mean"], 3), number(step["real"], 3), str(step["count"])]
            rows.append([place, *cells])
    header = ["", "driven, to frame 0", "real, to frame 0", "frames"]
    return [table(header, rows, "Identity by how far the head has turned")]


def _jitter(families: dict[str, Any]) -> list[Content]:
    rows: list[list[Content]] = []
    for name, kinds in families.items():
        for kind, values in kinds.items():
            lost = values.get("frames_lost")
            rows.append(
                [
                    f"{name}: {kind.replace('_', ' ')}",
                    number(values.get("landmarks"), 4),
                    number(values.get("pose"), 3, "°"),
                    "–" if lost is None else str(lost),
                ]
            )
    return [table(["", "landmarks, eye distances", "pose", "frames lost"], rows, "Jitter")]


def _published(section: dict[str, Any], family: str) -> list[Content]:
    own = section["self"]["families"][family]
    cross = section.get("cross", {}).get("families", {}).get(family, {})
    mine: list[Content] = [
        "this recording, by our judges",
        number(own["identity_to_frame"], 2),
        number(own["pose"]["mean_of_axes"], 1),
        number(cross.get("identity_to_source"), 2),
        number(cross.get("pose", {}).get("mean_of_axes"), 1),
    ]
    header: list[Content] = ["system", "self: CSIM", "pose", "cross: CSIM", "pose"]

    def rows(systems: tuple[Published, ...]) -> list[list[Content]]:
        return [
            [
                s.system,
                f"{s.self_identity:.2f}",
                f"{s.self_pose:.1f}",
                f"{s.identity:.2f}",
                f"{s.pose:.1f}",
            ]
            for s in systems
        ]

    return [
        tag("h2", "Beside published figures"),
        tag("p", DIFFERENCES),
        table(header, [mine], "Ours"),
        table(header, rows(DIRECTIONS_POSTER), "Finding Directions, BMVC 2022 poster, VoxCeleb1"),
        table(header, rows(HYPERREENACT), "HyperReenact, Table 1, VoxCeleb1 test"),
    ]
