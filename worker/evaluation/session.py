"""One evaluation from start to end: measure what is missing, work out the figures, write them."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.files.writing import write_atomically

from .metrics.control import control_figures, swept_frames
from .metrics.definitions import DEFINITIONS
from .metrics.drive_figures import join_pairs, pair_figures
from .metrics.failures import Failure, worst_pairs, worst_sweeps
from .metrics.goals import judge_of
from .protocols.cached_results import Task
from .protocols.context import EvaluationContext, Settings, open_context
from .protocols.drive import pair_tasks, parameters_of
from .protocols.motion import MOTION, STILL, motion_figures
from .protocols.paste import paste_figures, paste_tasks
from .protocols.stages import OnProgress, measure_all
from .protocols.sweeps import PERSON, sweep_tasks, swept_parameters
from .protocols.together import together_figures, together_tasks
from .report.gallery import draw_crosstalk, draw_failures, draw_sheets
from .report.page import page
from .report.page_parts import Other
from .report.report_file import FILE_NAME, FORMAT, VERSION, read_report, write_report

PAGE_NAME = "index.html"
FAILURE_TITLES = {
    "moves": "Single moves that keep least of the person",
    "pairs": "Pairs whose pose is farthest off",
}

PEOPLE, PAIRS = 200, 500
PEOPLE_EACH, HEAD_TIMES = 16, 2
MOVED_PEOPLE, STILL_PEOPLE = 2, 2
_PACKAGES = "photorig numpy torch openvino mediapipe opencv-contrib-python dlib-bin".split()


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        people: held-out identities.
        pairs: (identity, target) pairs of `drive`.
        people_each: people on whom each coefficient is swept; the head's angles and translations
            on HEAD_TIMES as many.
    """

    people: int = PEOPLE
    pairs: int = PAIRS
    people_each: int = PEOPLE_EACH

    @property
    def head_people(self) -> int:
        return min(HEAD_TIMES * self.people_each, self.people)


class Session:
    """The evaluation of one bundle and method in one folder."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        folder: Path,
        processes: int,
        on_progress: OnProgress,
    ) -> None:
        """Raises InputError where the folder cannot be made, ModelError or InputError where the
        bundle or the judges cannot be loaded."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
        self.settings, self.plan, self.folder = settings, plan, folder
        self.context: EvaluationContext = open_context(settings, folder)
        self._processes, self._on_progress = processes, on_progress
        self.seconds: dict[str, float] = {}
        self.failures: dict[str, list[Failure]] = {}

    def measure(self, tasks: list[Task], unit: str) -> list[dict[str, np.ndarray]]:
        """Pieces of the tasks, measured where they are missing; notes how long that took."""
        started = time.monotonic()
        cached_results = measure_all(self.context, tasks, unit, self._on_progress, self._processes)
        seconds = self.seconds.get(unit, 0.0) + time.monotonic() - started
        self.seconds[unit] = round(seconds, 1)
        for task, cached in zip(tasks, cached_results, strict=True):
            cached["person"] = np.array(task.person)
        return cached_results

    def people(self) -> list[dict[str, np.ndarray]]:
        """Everybody at rest, by index."""
        return self.measure([Task(PERSON, i) for i in range(self.plan.people)], "people")

    def control(self) -> dict[str, Any]:
        """Measure and work out the section ``control``."""
        plan, bundle = self.plan, self.context.renderer.bundle
        people = self.people()
        parameters = parameters_of(people)
        tasks = sweep_tasks(bundle, parameters, plan.people_each, plan.head_people)
        sweeps = self.measure(tasks, "people swept")
        tasks = together_tasks(bundle, parameters, plan.people_each)
        together = self.measure(tasks, "people with both sides moved")
        pasted = self.measure(paste_tasks(plan.people), "people put back into their photo")
        judge = self.context.families[0].name
        frames = swept_frames(self.context.schema, people, sweeps, judge)
        self.failures["moves"] = worst_sweeps(bundle, frames)
        return {
            "samples": {
                "people": plan.people,
                "people_without_a_face": sum(
                    np.isnan(cached["parameters"]).all() for cached in people
                ),
                "parameters_swept": len(swept_parameters(bundle)),
                "people_each": min(plan.people_each, plan.people),
                "people_each_head": plan.head_people,
                "frames_swept": sum(len(cached["parameter"]) for cached in sweeps),
                "people_put_back": len(pasted),
            },
            "background": paste_figures(pasted),
            "families": {
                family.name: {
                    **control_figures(bundle, people, sweeps, family.name),
                    "together": together_figures(bundle.schema, people, together, family.name),
                }
                for family in self.context.families
            },
        }

    def drive(self) -> dict[str, Any]:
        """Measure and work out the section ``drive``."""
        plan, schema = self.plan, self.context.schema
        people = self.people()
        tasks = pair_tasks(schema, parameters_of(people), plan.pairs, self.settings.seed)
        pairs = self.measure(tasks, "people driven")
        moves = self.measure(
            [Task(MOTION, i) for i in range(min(MOVED_PEOPLE, plan.people))], "smooth moves"
        )
        stills = self.measure(
            [Task(STILL, i) for i in range(min(STILL_PEOPLE, plan.people))], "still tests"
        )
        judge = self.context.families[0].name
        joined = join_pairs(people, pairs, judge)
        self.failures["pairs"] = worst_pairs(schema.ids, tasks, joined)
        same = np.concatenate([cached["same"] for cached in stills])
        return {
            "samples": {
                "pairs": sum(len(cached["kind"]) for cached in pairs),
                "identities": len(tasks),
                "smooth_moves": len(moves),
                "still_requests": len(same),
            },
            "still_test": {"requests": len(same), "same_bytes": int(same.sum())},
            "families": {
                family.name: {
                    **pair_figures(schema, people, pairs, family.name),
                    "motion": motion_figures(moves, family.name),
                }
                for family in self.context.families
            },
        }

    def subject(self) -> dict[str, Any]:
        """What was measured: bundle, generator, method, sizes, seeds, versions."""
        renderer = self.context.renderer
        return {
            "bundle": renderer.bundle.name,
            "bundle_id": renderer.bundle.id,
            "model_id": renderer.model_id,
            "backend": renderer.generator.backend,
            # A file's name, and not where it lies on this computer.
            "settings": asdict(self.settings) | {"bundle": Path(self.settings.bundle).name},
            "judges": {family.name: family.label for family in self.context.families},
            "versions": installed_versions(),
            "python": platform.python_version(),
        }

    def write(self, sections: dict[str, Any], others: Sequence[Other]) -> Path:
        """Write report.json, the pictures and index.html, and return the page's path.

        Sections that an earlier run of the same subject made are kept.
        """
        report: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "subject": self.subject(),
            "definitions": DEFINITIONS,
            **self._earlier_sections(),
            **sections,
        }
        report["pictures"] = self._pictures(report)
        report["seconds"] = {**report.get("seconds", {}), **self.seconds}
        write_report(self.folder, report)
        path = self.folder / PAGE_NAME
        # The page shows what is in the file, rounded as it is there.
        write_atomically(path, page(read_report(self.folder), others).encode())
        return path

    def _pictures(self, report: dict[str, Any]) -> list[dict[str, str]]:
        """Draw them; those that belong to an earlier section are kept."""
        bundle, folder = self.context.renderer.bundle, self.folder
        figures = draw_sheets(self.measure, bundle, self.plan.people, folder)
        figures += draw_crosstalk(report, judge_of(report), folder)
        for name, failures in self.failures.items():
            title = FAILURE_TITLES[name]
            figures += draw_failures(self.measure, failures, folder, f"worst-{name}", title)
        drawn = {figure.file for figure in figures}
        kept = [entry for entry in report.get("pictures", []) if entry["file"] not in drawn]
        return [asdict(figure) for figure in figures] + kept

    def _earlier_sections(self) -> dict[str, Any]:
        if not (self.folder / FILE_NAME).exists():
            return {}
        earlier = read_report(self.folder)
        if any(earlier["subject"][name] != value for name, value in self._measured_subject()):
            return {}
        sections = ("control", "drive", "seconds", "pictures")
        return {name: earlier[name] for name in sections if name in earlier}

    def _measured_subject(self) -> list[tuple[str, Any]]:
        """What has to be the same for figures to belong into one report."""
        subject = self.subject()
        return [(name, subject[name]) for name in ("model_id", "settings", "judges")]


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide figures, as far as they are installed."""
    installed = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed
