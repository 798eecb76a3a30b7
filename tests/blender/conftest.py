"""Runs inside Blender's Python module, with the extension installed from its zip.

    PHOTORIG_EXTENSION_ZIP   the zip; it is built when this is not set
    PHOTORIG_WORKER          the real worker program; tests that need it are skipped without

Most tests use card_worker.py: the real server around a renderer that paints a pattern made from
the request's bytes, so that any change of any parameter changes pixels.
"""

from __future__ import annotations

import importlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
_RESOURCES = tempfile.mkdtemp(prefix="photorig-blender-")
# Read by Blender when bpy is imported: extensions and preferences of these tests alone.
os.environ["BLENDER_USER_RESOURCES"] = _RESOURCES
os.environ["PHOTORIG_TEST_LOG"] = str(Path(_RESOURCES) / "rendered.log")

sys.path.insert(0, str(Path(__file__).parent))

import bpy  # noqa: E402
from portrait_files import write_portrait  # noqa: E402

PACKAGE = "bl_ext.user_default.photorig"
_exit_status = 1


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test after which an exception stands in Blender's console has failed.

    Blender prints what drivers, handlers, timers and panels raise, and goes on.
    """
    report = yield
    console = report.capstdout + report.capstderr + report.caplog
    may_raise = item.get_closest_marker("exceptions_in_console") is not None
    is_counted = report.passed and report.when != "teardown" and not may_raise
    if is_counted and "Traceback (most recent call last)" in console:
        report.outcome = "failed"
        report.longrepr = f"There is an exception in the console:\n{console}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without Blender's own clean-up.

    At a normal exit 4.2 crashes and 4.5 hangs for ever where any Python class is registered.
    """
    link = sys.modules.get(f"{PACKAGE}.link.link")
    if link is not None:
        link.link.stop()
    shutil.rmtree(_RESOURCES, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_status)


@pytest.fixture(scope="session")
def extension_zip() -> Path:
    """The extension's zip for this Blender."""
    given = os.environ.get("PHOTORIG_EXTENSION_ZIP")
    if given:
        return Path(given)
    script = ROOT / "blender_addon" / "packaging" / "build_zip.py"
    out = Path(_RESOURCES) / "zip"
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def addon(extension_zip: Path) -> ModuleType:
    """The installed and enabled extension."""
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(extension_zip), enable_on_install=True
    )
    return importlib.import_module(PACKAGE)


@pytest.fixture(scope="session")
def modules(addon: ModuleType) -> SimpleNamespace:
    """The extension's modules by name; relative imports hide them from a plain import.

    A name that two rooms have is preceded by its room's: ``sequence_job``, ``head_job``.
    """
    folder = Path(str(addon.__file__)).parent
    files = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")]
    parts = [path.parts for path in files if path.name != "__init__"]
    count = Counter(names[-1] for names in parts)
    loaded = {
        names[-1] if count[names[-1]] == 1 else "_".join(names[-2:]): importlib.import_module(
            ".".join((PACKAGE, *names))
        )
        for names in parts
    }
    return SimpleNamespace(package=PACKAGE, **loaded)


@pytest.fixture
def scene(addon: ModuleType) -> Iterator[bpy.types.Scene]:
    """An empty file with a camera; 64 × 48 pixels, frames 1 to 4, exact colours."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "PHOTORIG"
    scene.frame_start, scene.frame_end = 1, 4
    bpy.ops.photorig.use_exact_colours()
    yield scene
    importlib.import_module(f"{PACKAGE}.link.link").link.stop()


def _worker_python() -> Path:
    """The Python of the worker's environment."""
    program = os.environ.get("PHOTORIG_WORKER")
    if program:
        folder = Path(program).resolve().parent
    else:
        folder = ROOT / ".build" / "venv-worker" / ("Scripts" if os.name == "nt" else "bin")
    python = folder / ("python.exe" if os.name == "nt" else "python")
    if not python.exists():
        pytest.skip("needs the worker's virtual environment: run 'python build.py setup'")
    return python


@pytest.fixture(scope="session")
def card_worker_program() -> Path:
    """A program that takes the worker's arguments and paints test cards."""
    program = Path(_RESOURCES) / "card-worker"
    script = Path(__file__).with_name("card_worker.py")
    program.write_text(f'#!/bin/sh\nexec "{_worker_python()}" "{script}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture(scope="session")
def shared_card_worker(card_worker_program: Path) -> Iterator[Path]:
    """The connection file of a worker of test cards that outlives a test."""
    file = Path(_RESOURCES) / "shared-worker.json"
    command = [card_worker_program, "serve", "--connection-file", file]
    command += ["--parent-pid", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        yield file
        worker.terminate()


@pytest.fixture
def card_worker(
    addon: ModuleType, card_worker_program: Path, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """Preferences that name the test-card worker; yields the log of rendered frames.

    Tests marked ``shared_worker`` are connected to the session's, which spares them its start.
    """
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.executable = str(card_worker_program)
    preferences.auto_start = True
    marked = request.node.get_closest_marker
    if marked("shared_worker") and not marked("own_worker"):
        preferences.place = "REMOTE"
        preferences.connection_file = str(request.getfixturevalue("shared_card_worker"))
    log = Path(os.environ["PHOTORIG_TEST_LOG"])
    log.write_text("")
    os.environ.pop("PHOTORIG_TEST_DELAY", None)
    yield log
    importlib.import_module(f"{PACKAGE}.link.link").link.stop()
    # A test may have switched the extension off and on, which makes new preferences.
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.executable = preferences.connection_file = ""
    preferences.place = "LOCAL"


@pytest.fixture
def portrait(tmp_path: Path, modules: SimpleNamespace) -> Path:
    """A small but complete .portrait file."""
    return write_portrait(tmp_path / "face.portrait", modules.schema.FACE_SCHEMA.hash)


@pytest.fixture
def shot(scene: bpy.types.Scene, portrait: Path, card_worker: Path) -> bpy.types.Scene:
    """A scene whose camera shows the portrait, with a keyframed jaw and yaw, at 256 pixels."""
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    settings = scene.camera.data.photorig
    settings.size, settings.framing = "256", "FIT"
    for frame, jaw, yaw in ((1, 0.0, -20.0), (4, 0.6, 20.0)):
        settings.jawOpen, settings.headYaw = jaw, yaw
        settings.keyframe_insert("jawOpen", frame=frame)
        settings.keyframe_insert("headYaw", frame=frame)
    bpy.ops.photorig.use_picture_size()
    return scene
