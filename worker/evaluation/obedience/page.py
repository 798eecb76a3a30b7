"""The report on obedience as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..report.markup import (
    Content,
    definitions,
    mark,
    number,
    picture,
    table,
    tag,
    whole_page,
)
from ..report.page_parts import made
from .pose import TRAINING_POSE
from .summary import told
from .yardstick import IRISES, LANDMARKS, MOVES, WITHOUT_SOURCE

TITLE = "How far real photos obey"
DEFINITIONS: dict[str, str] = {
    "frames": "Relative mode, aligned crops of 512² unless said otherwise: each of the 52 controls "
    "at 1.0, pairs of both sides, seven poses, a smile of .8 beside other things, and four "
    "controls from rest to 1.0 in eight steps. The photo at rest is what everything is compared "
    "with.",
    "eye distance": "Between the middles of the two eyes, each the midpoint of its corners, in the "
    "photo at rest. Driven landmarks are laid over those at rest by corners of the eyes and bridge "
    "of the nose (turn, scale and shift).",
    "share of ARKit's": "Measured move along the direction of the full motion ÷ that motion, as "
    "ICT-FaceKit's shapes make it at 1.0, in eye distances: mouth opens .52, a lid closes to 13 % "
    "of rest, smile corner .167 up and .112 out, inner brow .086, brow down .044, pucker −.147 of "
    "width, funnel opens .218, jaw sideways .137, mouth sideways .171, frown .072, nose wing .118, "
    "upper lip .126; gaze .20 of an eye's width sideways, .17 up and down. Where no figure of "
    "ICT's is known: " + "; ".join(f"{n}: {w}" for n, w in WITHOUT_SOURCE.items()) + ".",
    "judges": "dlib's 68 landmarks for lips and corners of the mouth; the iris network for lids "
    "and irises; dense optical flow (DIS) between rest and driven crop, averaged around "
    "dlib's points at rest over pixels that the flow back brings home and without what the bridge "
    "of the nose moves, for what landmarks under-read: jaw and mouth sideways, cheeks, nose, "
    "shrugs, brows, upper lip. MobileFace for identity. Net3D and MediaPipe's landmarks, with "
    "which portraits are built, decide nothing.",
    "room": "A face that shows more than .35 of a control at rest (by Net3D) is left out where "
    "that control is asked for; so is a turn that would end beyond 40° of yaw.",
    "what stays open": "Height of both eyes ÷ that at rest, mean. The iris network leaves much of "
    "an eye that is really shut, see the judges' own limits.",
    "wink": "(own − other) ÷ own, of the shares by which the two eyes close; 0 where the asked eye "
    "closes by less than a tenth.",
    "beside": "Share of a full smile that the corners show beside something ÷ that of the smile "
    "alone (“stays”), and the same after taking away what the corners show without the smile "
    "(“adds”). A laugh is jawOpen .35, cheekSquint .6, eyeSquint .4.",
    "more is no more": "As seen: where the line from rest through 95 % of the largest answer of "
    "the sweep reaches that answer. To the byte: from which value on frames of 256² are those of "
    "1.0, to 1/64. Farthest from an even answer: largest distance from the line to the answer at "
    "1.0, in parts of it.",
    "yaw, pitch": "Change of the angle ÷ asked change. By PnP: dlib's landmarks of eyes, nose, "
    "corners of the mouth and chin against MediaPipe's canonical face in space. The judges' map "
    "from landmarks to degrees (fitted to Net3D on generated faces) stands beside it: on real "
    "frames it reads a third to two thirds of what PnP and Net3D read.",
    "identity": "Cosine of MobileFace's descriptors of driven face and photo at rest, mean over 18 "
    "expressions at 1.0, and over both signs of a yaw.",
    "weave": "Root mean square over blocks of 16² pixels of the luminance's component at the "
    "highest frequency of both axes (a checker of two pixels), in levels of 255, minus the "
    "photo's own.",
    "colour on grey": "Largest difference between the channels of a pixel in any expression or "
    "pose, of portraits whose photo is grey.",
    "outside, background": "Mean change of expressions outside the face's outline (jaw to forehead "
    "with a margin), and where the matte sees no person.",
    "leak": "Mean distance that landmarks go which should stay: brows, eyes and nose while mouth "
    "and jaw move, and the other way round. dlib's own unrest is part of it.",
    "self-reenactment": "Frame 0 of a recording is fitted and driven by what Net3D measures on the "
    "others; slope of driven on real frames with an intercept. Mouth aperture and smile by dlib, "
    "lids and their difference (wink) by the iris network. A recording in which the signal moves "
    "by less than noise has none. Landmark error: after turn, scale and shift.",
    "the judges' own limits": "Photos at rest, bent smoothly by exactly the full motion, and which "
    "share of it each judge reads; and what is left of the lids' height in real blinks of the "
    "recordings.",
}


_SEE_LIDS = (IRISES, LANDMARKS, TRAINING_POSE)


def obedience_page(report: dict[str, Any]) -> str:
    """The page of a report, as read back from its JSON."""
    section = report["obedience"]
    people, recordings = section["people"], section["recordings"]
    measured = [entry for entry in people if not entry["error"]]
    earlier = section.get("against", {})
    parts: list[Content] = [
        tag(
            "p",
            f"{len(measured)} faces in real photos and {len(recordings)} recordings, driven to "
            f"full motion. {section.get('note', '')}",
        ),
        tag("h2", "The table"),
        _rows(section["table"], earlier.get("table")),
        *_failed([*people, *recordings]),
        tag("h2", "The same in whole photos"),
        _rows(section["whole"], earlier.get("whole")),
        tag("h2", "The judges' own limits"),
        _ceilings(section["ceilings"], recordings),
        tag("h2", "Every face"),
        *_people(measured),
        tag("h2", "Every recording"),
        _recordings(recordings),
    ]
    pictures = report.get("pictures", [])
    if pictures:
        parts.append(tag("h2", "To be looked at"))
        parts += [picture(figure["file"], figure["caption"]) for figure in pictures]
    parts += [definitions(DEFINITIONS), *made(report)]
    return whole_page(TITLE, parts)


def _rows(rows: Sequence[dict[str, Any]], earlier: dict[str, Any] | None) -> Content:
    header: list[Content] = ["", "to reach", "mean (lowest to highest)", ""]
    cells: list[list[Content]] = [
        [r["what"], r["goal"] or "–", told(r), mark(r["passed"])] for r in rows
    ]
    if earlier is not None:
        header.insert(2, "before")
        for r, row in zip(rows, cells, strict=True):
            row.insert(2, number(earlier.get(r["key"]), 3))
    return tag("div", table(header, cells), class_="bars")


def _failed(entries: Sequence[dict[str, Any]]) -> list[Content]:
    failed = [[e.get("name") or e["file"], e["error"]] for e in entries if e.get("error")]
    if not failed:
        return []
    return [tag("h2", "What could not be measured"), table(["", "why"], failed)]


def _ceilings(ceilings: dict[str, Any], recordings: Sequence[dict[str, Any]]) -> Content:
    judges = list(dict.fromkeys(judge for reads in ceilings.values() for judge in reads))
    rows: list[list[Content]] = []
    for move, reads in ceilings.items():
        row: list[Content] = [move]
        for judge in judges:
            read = reads.get(judge)
            row.append("–" if read is None else _spread(read))
        rows.append(row)
    known = table(["share of a known motion that is read", *judges], rows)
    blinks: list[list[Content]] = []
    turns: list[list[Content]] = []
    for entry in recordings:
        left = entry.get("real_blinks", {})
        blinks.append([entry["file"], *(number(left.get(judge)) for judge in _SEE_LIDS)])
        for way, axes in entry.get("pose_ceilings", {}).items():
            cells = (f"{number(a['slope'])} (r {number(a['correlation'])})" for a in axes.values())
            turns.append([f"{way} in {entry['file']}", *cells])
    return tag(
        "div",
        known,
        table(["what is left of the lids in the deepest real blink", *_SEE_LIDS], blinks),
        table(["slope on Net3D's angles in real frames", "yaw", "pitch"], turns),
    )


def _spread(read: dict[str, float]) -> str:
    return f"{number(read['mean'])} ({number(read['lowest'])} to {number(read['highest'])})"


def _people(people: Sequence[dict[str, Any]]) -> list[Content]:
    if not people:
        return []
    names: list[Content] = [entry["name"] for entry in people]
    rows: list[list[Content]] = []
    for move in MOVES:
        row: list[Content] = [move.name]
        for entry in people:
            seen = entry["parts"]["crop"]["moves"][move.name]
            value = seen["share"] if seen["share"] is not None else seen["seen"][move.judge]
            row.append(number(value) if seen["room"] else f"({number(value)})")
        rows.append(row)
    for kind in ("expressions", "yaw ±12", "yaw ±25"):
        cosines = [entry["parts"]["crop"]["identity"][kind] for entry in people]
        rows.append([f"identity, {kind}", *(number(cosine) for cosine in cosines)])
    dead = [", ".join(entry["parts"]["crop"]["dead"]) or "none" for entry in people]
    caption = "Share of ARKit's full motion; in brackets where the photo leaves no room for it"
    return [
        table(["", *names], rows, caption),
        table(["face", "controls that do nothing"], list(zip(names, dead, strict=True))),
    ]


def _recordings(recordings: Sequence[dict[str, Any]]) -> Content:
    rows: list[list[Content]] = []
    for entry in recordings:
        if "figures" not in entry:
            continue
        figures = entry["figures"]
        row: list[Content] = [entry["file"], str(figures["frames"])]
        for signal in figures["signals"].values():
            row.append(f"{number(signal['slope'])} (r {number(signal['correlation'])})")
        rows.append([*row, number(figures["landmark_error"], 4)])
    header = ["recording", "frames", "mouth aperture", "lids", "smile", "wink", "landmark error"]
    return table(header, rows)
