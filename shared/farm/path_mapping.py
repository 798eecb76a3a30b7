"""Paths of the submitter's computer on a node that has them elsewhere.

The rules are OpenJD's (``pathmapping-1.0``): of those that hold for a path the longest decides.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import InputError
from ..files.reading import read_file
from ..files.strict_json import parse_json

VARIABLE = "PHOTORIG_PATH_MAPPING"
"""Names the file with the rules on a node."""
SUBMITTED_VARIABLE = "PHOTORIG_FARM_SUBMITTED"
"""The folder of the node's job as its submitter called it."""
_MAXIMUM_BYTES = 1 << 20


@dataclass(frozen=True)
class PathRule:
    """Attributes:
    source: a folder or file of the submitter's computer.
    destination: the same here.
    is_windows: whether ``source`` is written as on Windows, where case does not matter.
    """

    source: str
    destination: str
    is_windows: bool = False

    def apply(self, path: str) -> str | None:
        """The path here, None where the rule does not speak of it."""
        kind: type[PurePosixPath] | type[PureWindowsPath] = (
            PureWindowsPath if self.is_windows else PurePosixPath
        )
        try:
            rest = kind(path).relative_to(kind(self.source))
        except ValueError:
            return None
        return str(Path(self.destination, *rest.parts))


def mapped(path: str, rules: tuple[PathRule, ...]) -> str:
    """Where a path of the submitter's lies on this computer."""
    found = (rule.apply(path) for rule in rules)
    return next((there for there in found if there is not None), path)


def place_on_node(written: str, resolved: str, submitted: str) -> str:
    """Where a path of a job's .blend file lies on this computer.

    Args:
        written: as it stands in the file; "//" is the folder that the file is in.
        resolved: absolute, from where the file is here.
        submitted: the folder that the file was in when it was submitted, "" where nobody says.

    Raises:
        InputError: the session's rules cannot be read.
    """
    rules = rules_here()
    there = mapped(os.path.normpath(resolved), rules) if rules else resolved
    if not written.startswith("//") or not submitted or Path(there).exists():
        return there
    form = ntpath if "\\" in submitted else posixpath
    return mapped(form.normpath(form.join(submitted, written[2:])), rules)


def rules_here() -> tuple[PathRule, ...]:
    """The rules of the job that runs here; () outside of one. Raises InputError."""
    name = os.environ.get(VARIABLE, "")
    return read_rules(Path(name)) if name else ()


@lru_cache(maxsize=4)
def read_rules(path: Path) -> tuple[PathRule, ...]:
    """Raises InputError."""
    try:
        told = parse_json(read_file(path, _MAXIMUM_BYTES), _MAXIMUM_BYTES)
        # A session without rules has an empty file of them.
        rules = (
            PathRule(
                str(rule["source_path"]),
                str(rule["destination_path"]),
                str(rule["source_path_format"]).upper() == "WINDOWS",
            )
            for rule in (told or {}).get("path_mapping_rules", ())
        )
        return tuple(sorted(rules, key=lambda rule: -len(rule.source)))
    except OSError as error:
        raise InputError(f"Cannot read the path mapping {str(path)!r}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(path)!r} is no path mapping", "See OpenJD's pathmapping-1.0."
        ) from error
