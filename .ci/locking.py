"""Makes the lock files and the worker's bill of materials: ``python build.py lock``.

uv resolves for every system and Python at once; what it finds is cut to what pip is to install.
"""

from __future__ import annotations

import subprocess
import tempfile
import tomllib
from pathlib import Path

from bill_of_materials import bill_of_materials, component
from environments import BLENDER_TEST_PACKAGES, BLENDERS, BUILD_BACKEND, BuildError, Environment
from lock_file import (
    FOLDER,
    RAY,
    ROOT,
    TESTS,
    TOOLS,
    WORKER,
    Pin,
    entries,
    licences,
    read_lock,
)

TOOLS_WANTED = ("pip-audit==2.10.1", "uv==0.13.9")
WORKER_BILL = ROOT / "worker" / "bill-of-materials.cdx.json"
_OF_TORCH = ("torch==", "nvidia-", "cuda-", "triton==")
"""What differs from computer to computer: torch for a processor or for a kind of graphics card."""
_HEAD = "# {what}\n# Made by `python build.py lock`; pip checks every hash. Not by hand.\n\n"


def lock_everything(tools: Environment) -> list[Path]:
    """Write all lock files and the bill of materials anew; returns their paths.

    What is locked already stays at its version as long as pyproject.toml lets it.

    Raises:
        BuildError: there is no set of packages that fits, or the index cannot be reached.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    runtime = project["dependencies"]
    everything = [*runtime, *extras["dev"], *extras["evaluate"], BUILD_BACKEND]
    whole = _resolved(tools, everything, "3.11", _locked(WORKER, TESTS))
    own = {_name(entry) for entry in _resolved(tools, runtime, "3.11", "\n".join(whole))}
    _write(WORKER, "What the worker needs, but for torch", [e for e in whole if _name(e) in own])
    rest = [entry for entry in whole if _name(entry) not in own]
    _write(TESTS, "What tests and checks need besides worker.txt", rest)
    found = _resolved(tools, [*everything, *extras["ray"]], "3.11", _locked(WORKER, TESTS, RAY))
    more = [entry for entry in found if _name(entry) not in own]
    needed = {_name(entry) for entry in _resolved(tools, extras["ray"], "3.11", "\n".join(found))}
    more = [entry for entry in more if _name(entry) in needed]
    _write(RAY, "What the extra ray needs besides worker.txt", more)
    for series, (version, python) in BLENDERS.items():
        name, wanted = f"blender-{series}.txt", [f"bpy=={version}", *BLENDER_TEST_PACKAGES]
        found = _resolved(tools, wanted, f"{python[0]}.{python[1]}", _locked(name))
        _write(name, f"Blender {series} as a Python module, for the tests", found)
    found = _resolved(tools, list(TOOLS_WANTED), "3.11", _locked(TOOLS))
    _write(TOOLS, "What locks and audits", found)
    WORKER_BILL.write_text(worker_bill(), encoding="utf-8")
    return [*sorted(FOLDER.glob("*.txt")), WORKER_BILL]


def _locked(*names: str) -> str:
    paths = [FOLDER / name for name in names]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def _resolved(tools: Environment, wanted: list[str], python: str, preferred: str) -> list[str]:
    """Entries of a lock file for these requirements, without torch and what only it brings.

    Args:
        preferred: text of a lock file, whose versions are taken where they fit.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder) / "asked.in", Path(folder) / "found.txt"
        asked.write_text("\n".join(wanted), encoding="utf-8")
        found.write_text(preferred, encoding="utf-8")
        command = [tools.tool("uv"), "pip", "compile", "--universal", "--python-version", python]
        command += ["--generate-hashes", "--only-binary", ":all:", "--no-annotate", "--no-header"]
        command += ["--output-file", str(found), str(asked)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"uv found no set of packages: {done.stderr.strip()[-600:]}")
        text = found.read_text(encoding="utf-8")
    return [entry for entry in entries(text) if not entry.startswith(_OF_TORCH)]


def _name(entry: str) -> str:
    return entry.split("==", 1)[0]


def _write(name: str, what: str, found: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    text = _HEAD.format(what=what) + "\n".join(entry.rstrip() for entry in found) + "\n"
    (FOLDER / name).write_text(text, encoding="utf-8")


def worker_bill() -> str:
    """The worker's bill of materials, from its lock file and pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = next(one for one in project["dependencies"] if one.startswith("torch=="))
    where = "the build for this computer: its hash is not pinned"
    pins = [Pin("torch", torch.removeprefix("torch=="), where, frozenset())]
    known = licences()
    return bill_of_materials(
        project["name"],
        project["version"],
        project["license"],
        [component(pin, known[pin.name]) for pin in [*pins, *read_lock(FOLDER / WORKER)]],
    )
