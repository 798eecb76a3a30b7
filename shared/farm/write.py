"""One way to write a job for any farm, for Blender's dialog and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .flamenco import write_flamenco
from .job import FarmJob
from .openjd import PARAMETERS_NAME, write_openjd
from .preflight import Expected

OPENJD, FLAMENCO = "openjd", "flamenco"
FARMS = (OPENJD, FLAMENCO)


def write_for(
    farm: str, folder: Path, job: FarmJob, expected: Expected, files: Sequence[str] = ()
) -> Path:
    """Write the job's folder for a farm of this kind.

    Args:
        files: paths outside of the folder that the shot needs.

    Returns:
        The file that the farm is given.

    Raises:
        InputError: there is no such kind of farm, or the folder cannot be written.
    """
    if farm not in FARMS:
        raise InputError(f"There is no kind {farm!r} of farm", f"Use {' or '.join(FARMS)}.")
    job.save(folder, expected)
    return write_openjd(folder, job, files) if farm == OPENJD else write_flamenco(folder)


def next_step(farm: str, place: Path) -> str:
    """What to do with the file that the farm is given, for a person."""
    if farm == OPENJD:
        values = (place.parent / PARAMETERS_NAME).absolute()
        tried = f"openjd run {place} -p file://{values}"
        return f"Submit the folder {place.parent} to the farm, or try it here: {tried}"
    return (
        f"Put {place.name} into the folder 'scripts' of Flamenco's Manager once, then submit with "
        f"job type Photorig and job folder {place.parent}"
    )
