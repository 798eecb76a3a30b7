"""One evaluation from start to end: measure what is missing, work out the figures, write them."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from photorig.shared.errors import InputError

from .control import control_figures
from .pieces import PieceStore, Task
from .report_file import FILE_NAME, FORMAT, VERSION, read_report, write_report
from .stages import OnProgress, measure_all
from .studio import Settings, Studio, open_studio
from .sweeps import PERSON, sweep_tasks, swept_parameters

PEOPLE, PAIRS = 200, 500
PEOPLE_EACH, ANGLE_PEOPLE = 16, 48
_PACKAGES = ("photorig", "numpy", "torch", "openvino", "mediapipe", "opencv-contrib-python")


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        people: held-out identities.
        pairs: (identity, target) pairs of `drive`.
        people_each: people on whom each coefficient is swept.
        angle_people: people on whom head angles and translations are swept.
    """

    people: int = PEOPLE
    pairs: int = PAIRS
    people_each: int = PEOPLE_EACH
    angle_people: int = ANGLE_PEOPLE


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
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
        self.settings, self.plan, self.folder = settings, plan, folder
        self.studio: Studio = open_studio(settings)
        self.store = PieceStore.of(folder, self.studio.key)
        self._processes, self._on_progress = processes, on_progress
        self.seconds: dict[str, float] = {}

    def measure(self, tasks: list[Task], unit: str) -> list[dict[str, np.ndarray]]:
        """Pieces of the tasks, measured where they are missing; notes how long that took."""
        started = time.monotonic()
        pieces = measure_all(
            self.studio, self.store, tasks, unit, self._on_progress, self._processes
        )
        self.seconds[unit] = round(time.monotonic() - started, 1)
        return pieces

    def people(self) -> list[dict[str, np.ndarray]]:
        """Everybody at rest, by index."""
        return self.measure([Task(PERSON, i) for i in range(self.plan.people)], "people")

    def control(self) -> dict[str, Any]:
        """Measure and work out the section ``control``."""
        people = self.people()
        bundle = self.studio.renderer.bundle
        plan = self.plan
        tasks = sweep_tasks(bundle, plan.people, plan.people_each, plan.angle_people)
        sweeps = self.measure(tasks, "people swept")
        for task, piece in zip(tasks, sweeps, strict=True):
            piece["person"] = np.array(task.person)
        return {
            "samples": {
                "people": plan.people,
                "people_without_a_face": sum(len(piece) < 2 for piece in people),
                "parameters_swept": len(swept_parameters(bundle)),
                "people_each": min(plan.people_each, plan.people),
                "people_each_head": min(plan.angle_people, plan.people),
                "frames_swept": sum(len(piece["parameter"]) for piece in sweeps),
            },
            "families": {
                family.name: control_figures(bundle, people, sweeps, family.name)
                for family in self.studio.families
            },
        }

    def subject(self) -> dict[str, Any]:
        """What was measured: bundle, generator, method, sizes, seeds, versions."""
        renderer = self.studio.renderer
        return {
            "bundle": renderer.bundle.name,
            "bundle_id": renderer.bundle.id,
            "model_id": renderer.model_id,
            "backend": renderer.generator.backend,
            "settings": asdict(self.settings),
            "judges": {family.name: family.label for family in self.studio.families},
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
        }

    def write(self, sections: dict[str, dict[str, Any]]) -> Path:
        """Write report.json; sections that an earlier run of the same subject made are kept."""
        report: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "subject": self.subject(),
            **self._earlier_sections(),
            **sections,
        }
        report["seconds"] = {**report.get("seconds", {}), **self.seconds}
        return write_report(self.folder, report)

    def _earlier_sections(self) -> dict[str, Any]:
        if not (self.folder / FILE_NAME).exists():
            return {}
        earlier = read_report(self.folder)
        subject = earlier["subject"]
        same = subject["model_id"] == self.studio.renderer.model_id
        if not same or subject["settings"]["method"] != self.settings.method:
            return {}
        return {name: earlier[name] for name in ("control", "drive", "seconds") if name in earlier}
