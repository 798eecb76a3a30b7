"""The models in the user's cache folder: checked when used, replaced as a whole, safe to share.

Layout: ``<cache>/models/<name>-<key>/<files>`` where the key is made from the files' checksums,
so a new version of a card never meets the files of an old one.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from photorig.shared.errors import ModelError
from photorig.shared.files.writing import make_private_folder
from photorig.worker.places import cache_folder

from .cards import ModelCard, ModelFile

LOCK_TIMEOUT_SECONDS = 1800


def default_cache_folder() -> Path:
    """``PHOTORIG_CACHE`` if set, else the platform's cache folder for Photorig."""
    return cache_folder()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_problem(path: Path, file: ModelFile) -> str:
    """What is wrong with ``path`` as a copy of ``file``, in a few words; "" if nothing is."""
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"{file.name} has {size} bytes instead of {file.size}"
        if file_sha256(path) != file.sha256:
            return f"{file.name} has the wrong checksum"
    except FileNotFoundError:
        return f"{file.name} is missing"
    except OSError as error:
        return f"{file.name} cannot be read ({error.strerror})"
    return ""


class ModelCache:
    """One cache folder; any number of processes may use it at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"

    def path(self, card: ModelCard) -> Path:
        """Where the card's files are, or would be."""
        sums = "".join(file.sha256 + file.name for file in card.files)
        return self.folder / f"{card.name}-{hashlib.sha256(sums.encode()).hexdigest()[:12]}"

    def is_present(self, card: ModelCard) -> bool:
        """Whether something is there; it need not be intact."""
        return self.path(card).is_dir()

    def problem(self, card: ModelCard) -> str:
        """What is wrong with the cached copy, "" if it is there and every checksum is right."""
        folder = self.path(card)
        problems = (file_problem(folder / file.name, file) for file in card.files)
        return next((problem for problem in problems if problem), "")

    @contextlib.contextmanager
    def lock(self, card: ModelCard) -> Iterator[None]:
        """Keep other processes out of the same place. Raises ModelError after half an hour."""
        try:
            make_private_folder(self.folder)
            with filelock.FileLock(f"{self.path(card)}.lock", timeout=LOCK_TIMEOUT_SECONDS):
                yield
        except filelock.Timeout as error:
            raise ModelError(
                f"Another process has been fetching {card.name} for half an hour",
                "End it and try again.",
            ) from error

    def store(self, card: ModelCard, fill: Callable[[Path, Path], None]) -> Path:
        """Make the card's folder anew. Call with the lock held.

        Args:
            card: the model.
            fill: called with (empty work folder, empty result folder); puts the card's files into
                the second, whose content is checked before anybody can see it.

        Returns:
            The folder with the checked files.

        Raises:
            ModelError: a file is not what the card says. Nothing is changed then.
            OSError: the disk is full, or the folder may not be written.
        """
        final = self.path(card)
        self._sweep(card)
        with tempfile.TemporaryDirectory(
            prefix=f".{card.name}-", suffix=".partial", dir=self.folder
        ) as temporary:
            work, result = Path(temporary, "work"), Path(temporary, "result")
            work.mkdir()
            result.mkdir()
            fill(work, result)
            for file in card.files:
                problem = file_problem(result / file.name, file)
                if problem:
                    raise ModelError(
                        f"What was fetched for {card.name} is not what its card says: {problem}",
                        "Try again; if it stays so, the source has changed and must not be used.",
                    )
            if final.exists():
                # A folder cannot be replaced in one step; the old one is broken anyway.
                final.rename(Path(temporary, "replaced"))
            result.rename(final)
        return final

    def _sweep(self, card: ModelCard) -> None:
        """Remove what a killed process left; under the lock nobody else can be working there."""
        for leftover in self.folder.glob(f".{card.name}-*.partial"):
            # ".face-x.partial" is of the model "face"; ".face-mesh-x.partial" is of another one.
            if leftover.name.count("-") == card.name.count("-") + 1:
                shutil.rmtree(leftover, ignore_errors=True)
