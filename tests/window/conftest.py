"""Windows of Blender to click through.

    PHOTORIG_WINDOWS         series with commas ("4.3,5.2"); all of them when this is not set
    PHOTORIG_EXTENSION_ZIP   the zip for the newer Pythons; built when this is not set
    PHOTORIG_WORKER          the worker's program

Screenshots, Blender's console and the worker's log stay in .build/window/.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import debian_system
from debian_system import ROOT, SYSTEMS, NotPossible
from session import WindowSession

_ORDER = (
    "test_first_shot",
    "test_responsiveness",
    "test_farm",
    "test_render_and_preferences",
    "test_photo_and_head",
    "test_control_board",
    "test_footage",
    "test_the_end",
)
"""Each goes on in the window as the one before left it."""
_failed: set[str] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    steps = [item for item in items if item.path.parent == here]
    steps.sort(key=lambda item: _ORDER.index(item.path.stem))
    items[:] = [item for item in items if item.path.parent != here] + steps


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "series" in metafunc.fixturenames:
        chosen = os.environ.get("PHOTORIG_WINDOWS") or ",".join(SYSTEMS)
        metafunc.parametrize("series", chosen.split(","), scope="session")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Remember in which window a step went wrong: the steps after it would say nothing."""
    outcome = yield
    if outcome.get_result().failed and hasattr(item, "callspec"):  # type: ignore[attr-defined]
        _failed.add(item.callspec.params.get("series", ""))


@pytest.fixture(scope="session")
def worker_program() -> Path:
    program = Path(os.environ.get("PHOTORIG_WORKER") or ROOT / ".build/venv-worker/bin/photorig")
    if not program.exists():
        pytest.skip("needs the worker's environment: run 'python build.py setup'")
    return program


@pytest.fixture(scope="session")
def newest_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension's zip for the newer Pythons, as people get it."""
    given = os.environ.get("PHOTORIG_EXTENSION_ZIP")
    if given:
        return Path(given)
    python = ROOT / ".build" / "venv-bpy-5.2" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs Blender's environment: run 'python build.py setup --blender 5.2'")
    script = ROOT / "blender_addon" / "packaging" / "build_zip.py"
    command = [python, script, "--out", tmp_path_factory.mktemp("zip")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def sample_portrait(worker_program: Path) -> Path:
    """A person who does not exist, made by the real worker; kept while the models are the same."""
    folder = debian_system.FOLDER / "portraits"
    folder.mkdir(parents=True, exist_ok=True)
    cards = b"".join(path.read_bytes() for path in sorted((ROOT / "models").glob("*.toml")))
    name = f"person-{hashlib.sha256(cards).hexdigest()[:8]}"
    portrait, picture = folder / f"{name}.portrait", folder / f"{name}.png"
    if not (portrait.exists() and picture.exists()):
        command = [worker_program, "sample", "--seed", "7", "--out", picture]
        command += ["--portrait", portrait]
        subprocess.run(command, timeout=1200, check=True, capture_output=True)
    return portrait


def zip_for(series: str, newest: Path, folder: Path) -> Path:
    """The zip that this Blender can load, in a folder that it can see.

    Debian builds Blender 4.3 with a newer Python than Blender's own downloads have, so what fits is
    the zip for newer Blenders, with their lowest version set down.
    """
    if series >= "5.1":
        return Path(shutil.copy(newest, folder))
    lowered = folder / newest.name
    with zipfile.ZipFile(newest) as given, zipfile.ZipFile(lowered, "w") as made:
        for entry in given.infolist():
            data = given.read(entry)
            if entry.filename == "blender_manifest.toml":
                minimum = b'blender_version_min = "4.2.0"'
                data = re.sub(rb"(?m)^blender_version_min = .*$", minimum, data)
            made.writestr(entry, data)
    return lowered


@pytest.fixture(scope="session")
def session(series: str, worker_program: Path, newest_zip: Path) -> Iterator[WindowSession]:
    """Blender in a window, with the extension installed from its zip."""
    try:
        debian_system.make(SYSTEMS[series])
        session = WindowSession(SYSTEMS[series])
        session.start(worker_program)
    except NotPossible as reason:
        pytest.skip(str(reason))
    try:
        extension = zip_for(series, newest_zip, session.run)
        session.ask(
            f"""
            bpy.ops.extensions.package_install_files(
                repo="user_default", filepath={str(extension)!r}, enable_on_install=True
            )
            preferences = bpy.context.preferences.addons[PACKAGE].preferences
            preferences.executable = {str(session.worker_program)!r}
            """,
            timeout=180,
        )
        yield session
    finally:
        session.stop()


@pytest.fixture
def blender(session: WindowSession, series: str) -> WindowSession:
    """The window, unless an earlier step went wrong in it."""
    if series in _failed and not os.environ.get("PHOTORIG_GO_ON"):
        pytest.skip("an earlier step went wrong")
    return session
