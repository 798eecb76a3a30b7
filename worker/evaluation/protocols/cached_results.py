"""Cached results on disk: what was measured once for a model and a method is not measured again.

A result is what one task measured on one person: arrays in a safetensors file whose name tells the
task. The folder's name tells the model, so those of another bundle, method or size never mix.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from photorig.shared.errors import InputError
from photorig.shared.files.writing import write_atomically

CachedResult = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """Something to measure on one person.

    Attributes:
        stage: which measurement, a key of `stages.MEASUREMENTS`.
        person: index of the person in the evaluation group.
        details: what exactly, JSON-able; another detail is another cached.
    """

    stage: str
    person: int
    details: tuple[Any, ...] = ()

    @property
    def file_name(self) -> str:
        text = json.dumps(self.details, sort_keys=True)
        return f"{self.person:04d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.safetensors"


class ResultCache:
    """The cached results of one model, method and size below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def of(folder: Path, key: str) -> ResultCache:
        """The store below ``folder`` for everything that values depend on besides the task."""
        return ResultCache(folder / "pieces" / hashlib.sha256(key.encode()).hexdigest()[:16])

    def read(self, task: Task) -> CachedResult | None:
        """The cached result, or None where it was not measured yet or its file is damaged."""
        try:
            return load_file(self._path(task))
        except (FileNotFoundError, SafetensorError):
            return None
        except OSError as error:
            raise InputError(f"Cannot read {self._path(task)}: {error.strerror}") from error

    def has(self, task: Task) -> bool:
        return self._path(task).is_file()

    def write(self, task: Task, cached: CachedResult) -> None:
        """Whole or not at all. Raises InputError where the folder cannot be written."""
        path = self._path(task)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the folder {path.parent}: {error.strerror}") from error
        arrays = {name: np.ascontiguousarray(values) for name, values in cached.items()}
        # Two processes never measure the same task, but two runs in one folder might.
        partial = path.with_suffix(f".{os.getpid()}")
        write_atomically(partial, save(arrays))
        partial.replace(path)

    def _path(self, task: Task) -> Path:
        return self.folder / task.stage / task.file_name
