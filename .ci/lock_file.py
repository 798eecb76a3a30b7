"""Lock files in requirements/: every package with its version and the hashes of its wheels.

pip itself checks them (``--require-hashes``). This reads them, for the extension's wheel, the bills
of materials and the list of licences. Standard library only.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
WORKER, TESTS, RAY, TOOLS = "worker.txt", "tests.txt", "ray.txt", "tools.txt"

_BEGIN = re.compile(r"(?m)^(?=[A-Za-z0-9])")
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*(?:\\|$)", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One package of a lock file.

    Attributes:
        name: lower case, with hyphens (PEP 503).
        marker: where it is needed (PEP 508); empty for everywhere.
        hashes: SHA-256 of every wheel that may be installed, in hexadecimal.
    """

    name: str
    version: str
    marker: str
    hashes: frozenset[str]


def normalized(name: str) -> str:
    """A package's name as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(text: str) -> list[str]:
    """The text of each package's entry, in order, without comments."""
    lines = [
        line for line in text.splitlines() if line and not line.lstrip().startswith(("#", "--o"))
    ]
    return [entry for entry in _BEGIN.split("\n".join(lines)) if entry.strip()]


def read_lock(path: Path) -> list[Pin]:
    """What a lock file holds.

    Raises:
        ValueError: an entry is no pin, or has no hash.
    """
    pins = []
    for entry in entries(path.read_text(encoding="utf-8")):
        match, hashes = _PIN.match(entry), re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
        if match is None or not hashes:
            raise ValueError(f"{path.name}: no pin with hashes: {entry.splitlines()[0]}")
        name, version, marker = match.groups(default="")
        pins.append(Pin(normalized(name), version, marker, frozenset(hashes)))
    return pins


def pin_of(name: str, path: Path) -> Pin:
    """The one entry of a package. Raises KeyError without it."""
    for pin in read_lock(path):
        if pin.name == name:
            return pin
    raise KeyError(f"{name} is not in {path.name}")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def licences() -> dict[str, str]:
    """SPDX expression of each package's licence, as requirements/licences.toml says.

    Raises:
        ValueError: a package has a licence that is not on the list of those we take.
    """
    data = tomllib.loads((FOLDER / "licences.toml").read_text(encoding="utf-8"))
    allowed, found = set(data["allowed"]), dict(data["worker"])
    check_licences(found, allowed)
    others = dict(data["development"])
    check_licences(others, allowed | set(data["allowed_in_development"]))
    return others | found


def check_licences(found: dict[str, str], allowed: set[str]) -> None:
    """Raises ValueError unless each expression can be met with licences that are allowed."""
    for name, expression in found.items():
        # Of what "OR" joins one is enough; what "AND" joins is needed together.
        for part in expression.split(" AND "):
            if not allowed & {one.strip("() ") for one in part.split(" OR ")}:
                raise ValueError(f"The licence of {name} is not on the list: {part}")
