"""The report on photos as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..metrics.goals import judge_of
from ..report.markup import Content, definitions, number, picture, table, tag, whole_page
from ..report.page_parts import goals_table, made
from .photo_figures import Entry, goals_of, ways, worked

TITLE = "How real photos come out"
DEFINITIONS: dict[str, str] = {
    "fit": "`photorig fit` as a process of its own, seconds by the clock with loading and saving; "
    "processor seconds of all its threads. On two cores of its own the clock needs no more than "
    "these and no less than half of them; where shared cores cannot tell, the goal has a dash; "
    "peak memory of the process.",
    "identity of the inversion": "Cosine between the family's descriptors of the photo's aligned "
    "crop and of the generator's own picture at rest, divided by the ceiling: the mean cosine "
    "between the crop and itself photographed again four times (moved by up to 1 % and 1°, scaled "
    "by up to 2 %, other exposure, JPEG). Pictures of 512². Stricter than two real photos of a "
    "person would be.",
    "PSNR": "Of the generator's own picture against the aligned crop at 512², over what Net3D's "
    "outermost landmarks enclose (face) and over the whole square (crop). 100 dB stands for "
    "pictures that are the same.",
    "perceptual": "Mean squared distance between unit feature vectors of six layers of GEAR, one "
    "of the judges, at 256² (as LPIPS is made, but without its learned weights, which no package "
    "brings). Its yardstick is the same distance for the photo a little out of focus (σ 1.5 px).",
    "rest": "The whole photo rendered in relative mode with nothing asked for. Background: all "
    "pixels outside the person as the matte sees them in the whole photo and in the aligned crop, "
    "widened by 5 % of the side; identical means that not one of them differs.",
    "driven": "Whole photos in relative mode, one control each. Identity: cosine of the driven "
    "face to the photo ÷ the same ceiling as above, so a turned head is compared with the photo as "
    "it is and loses by the turn alone. Answer: measured ÷ asked change of the parameters asked "
    "for; 1 is exactly what was asked, a dash what the family cannot see.",
    "families": "Goals are judged by the first family, which no loss, choice or calibration uses. "
    "The second is what fitting and training look through.",
}


def photo_page(report: dict[str, Any]) -> str:
    """The page of a report, as read back from its JSON."""
    section = report["photos"]
    entries: list[Entry] = section["entries"]
    family = judge_of(report)
    failed = [entry for entry in entries if entry["error"]]
    parts: list[Content] = [
        tag(
            "p",
            f"{len({(e['file'], e['face']) for e in entries})} faces in real photos, fitted ",
            f"as {' and '.join(ways(entries))}. {section.get('note', '')}",
        ),
        tag("h2", "Goals"),
        goals_table(goals_of(section["summary"], entries, family)),
        *_failed(failed),
        *[picture(figure["file"], figure["caption"]) for figure in report.get("pictures", [])],
    ]
    for way in ways(entries):
        good = worked([entry for entry in entries if entry["way"] == way])
        parts += [tag("h2", f"Every photo, {way}"), *_tables(good, report)]
    parts += [*_driven(section["summary"], report), definitions(DEFINITIONS), *made(report)]
    return whole_page(TITLE, parts)


def _failed(failed: Sequence[Entry]) -> list[Content]:
    if not failed:
        return []
    rows = [[entry["name"], entry["way"], entry["shows"], entry["error"]] for entry in failed]
    header = ["photo", "way", "shows", "what was said"]
    return [tag("h2", "Photos that failed"), tag("div", table(header, rows), class_="bars")]


def _tables(good: Sequence[Entry], report: dict[str, Any]) -> list[Content]:
    families = report["subject"]["judges"]
    header = ["photo", "shows", "face px", "s", "CPU s", "GB", "MB", "PSNR face", "crop"]
    header += ["perceptual (blur)", "rest dB", "background"]
    for name in families:
        header += [f"{name}: cosine", "kept"]
    rows = [_row(entry, families) for entry in good]
    return [table(header, rows)]


def _row(entry: Entry, families: dict[str, str]) -> list[Content]:
    fit, inversion, rest = entry["fit"], entry["inversion"], entry["rest"]
    cells: list[Content] = [
        entry["name"],
        entry["shows"],
        number(entry["face_pixels"], 0),
        number(fit["seconds"], 1),
        number(fit["processor_seconds"], 1),
        number(_scaled(fit["peak_memory"], 1e9), 2),
        number(fit["portrait_bytes"] / 1e6, 1),
        number(inversion["psnr_face"], 1),
        number(inversion["psnr_crop"], 1),
        f"{number(inversion['perceptual'], 3)} ({number(inversion['perceptual_of_blur'], 3)})",
        number(rest["psnr_face"], 1),
        "same" if rest["background_worst"] == 0 else f"{rest['background_changed']:.2%} changed",
    ]
    for name in families:
        seen = inversion["families"][name]
        cells += [number(seen["cosine"], 3), number(seen["identity_kept"], 3)]
    return cells


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _driven(figures: dict[str, Any], report: dict[str, Any]) -> list[Content]:
    parts: list[Content] = []
    for way, values in figures.items():
        header: list[Content] = ["control"]
        rows: dict[str, list[Content]] = {}
        for name in report["subject"]["judges"]:
            header += [f"{name}: identity kept, mean", "lowest", "answer, mean", "lowest"]
            for label, seen in values["families"][name]["driven"].items():
                kept, answer = seen["identity_kept"], seen["answer"]
                cells = [kept["mean"], kept["lowest"], answer["mean"], answer["lowest"]]
                rows.setdefault(label, [label]).extend(number(cell) for cell in cells)
        parts.append(table(header, list(rows.values()), f"Driven, {way}"))
    return [tag("h2", "Driven"), *parts]
