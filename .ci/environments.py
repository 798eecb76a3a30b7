"""What build.py needs to get things done: processes, virtual environments, system libraries.

Standard library only. Everything made here lies in .build/.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
LOCKS = ROOT / "requirements"
WINDOWS = os.name == "nt"
EXE = ".exe" if WINDOWS else ""
BIN = "Scripts" if WINDOWS else "bin"

BLENDERS = {
    "4.2": ("4.2.23", (3, 11)),
    "4.5": ("4.5.15", (3, 11)),
    "5.0": ("5.0.1", (3, 11)),
    "5.2": ("5.2.3", (3, 13)),
}
"""Version of the bpy package and the Python it is made for, by Blender series."""

WORKER_PYTHONS = ((3, 11), (3, 12), (3, 13))
BLENDER_TEST_PACKAGES = ("pytest==9.2.0", "pytest-timeout==2.4.0")
BUILD_BACKEND = "setuptools==84.2.1"

SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libgomp.so.1": "libgomp1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""Debian package by the shared library that bpy, mediapipe or OpenCV loads from the system."""


class BuildError(Exception):
    """Something that stops the build, explained in a sentence or two for a person."""


# ---------------------------------------------------------------------------------------------
# Saying and running things


def say(text: str) -> None:
    print(text, flush=True)


def run(command: list[str], timeout: float, env: dict[str, str] | None = None) -> int:
    """Run a command in the foreground and return its exit code; 124 when it ran out of time."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=env or child_environment(), start_new_session=not WINDOWS
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        say(f"{Path(command[0]).name} was ended: it ran for more than {timeout / 60:.0f} minutes")
        return 124
    finally:
        # Whatever the reason for coming here, nothing that was started is left behind.
        end_process(process)


def end_process(process: subprocess.Popen[bytes]) -> None:
    if WINDOWS:
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
            except (ProcessLookupError, PermissionError):
                break
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                continue
    process.wait()


def child_environment(**settings: str) -> dict[str, str]:
    """Our environment for a child: threads as there are cores, and idle threads that sleep."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
    env.pop("PYTHONPATH", None)
    # Spinning threads of several libraries on few cores slow each other down tenfold.
    env.setdefault("OMP_NUM_THREADS", str(core_count()))
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    env.setdefault("GOMP_SPINCOUNT", "0")
    return {**env, **settings}


def core_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---------------------------------------------------------------------------------------------
# Python interpreters and virtual environments


def find_python(version: tuple[int, int]) -> str | None:
    """Path of an interpreter of exactly that version, or None."""
    if sys.version_info[:2] == version:
        return getattr(sys, "_base_executable", None) or sys.executable
    name = f"python{version[0]}.{version[1]}"
    candidates = [[found] for found in [shutil.which(name)] if found]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [[str(path)] for path in sorted(pyenv.glob(f"{name[6:]}.*/bin/python"))]
    if launcher := shutil.which("py"):
        candidates.append([launcher, f"-{name[6:]}"])
    question = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)"
    for candidate in candidates:
        try:
            answer = subprocess.run(
                [*candidate, "-c", question], capture_output=True, text=True, timeout=60, check=True
            ).stdout.split(maxsplit=2)
        except (OSError, subprocess.SubprocessError):
            continue  # for example a pyenv shim of a version that is not switched on
        if answer[:2] == [str(version[0]), str(version[1])]:
            return answer[2].strip()
    return None


@dataclass(frozen=True)
class Environment:
    """A virtual environment in .build/ and what belongs into it.

    Attributes:
        packages: what no hash can be pinned of (torch: each computer has its own build).
        locks: files of requirements/, whose hashes pip checks.
        beside: another environment, whose packages it has as well.
    """

    name: str
    python: tuple[int, int]
    packages: tuple[str, ...]
    editable: bool = False
    fingerprint: str = field(default="", compare=False)
    locks: tuple[Path, ...] = ()
    beside: str = ""

    @property
    def folder(self) -> Path:
        return BUILD / f"venv-{self.name}"

    def tool(self, name: str) -> str:
        return str(self.folder / BIN / f"{name}{EXE}")

    @property
    def stamp(self) -> str:
        """Changes whenever the environment has to be brought up to date."""
        wanted = [self.python, self.packages, self.editable, self.fingerprint, str(self.folder)]
        wanted += [path.read_text(encoding="utf-8") for path in self.locks]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def worker_environment() -> Environment:
    import tomllib

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = data["project"]
    packages = tuple(one for one in project["dependencies"] if one.startswith("torch=="))
    version = next((version for version in WORKER_PYTHONS if find_python(version)), None)
    if version is None:
        raise BuildError("Photorig needs Python 3.11, 3.12 or 3.13; none of them was found.")
    installed = json.dumps([project["scripts"], data["tool"]["setuptools"]])
    locks = (LOCKS / "worker.txt", LOCKS / "tests.txt")
    return Environment("worker", version, packages, True, installed, locks)


def blender_environment(series: str) -> Environment:
    return Environment(
        f"bpy-{series}", BLENDERS[series][1], (), locks=(LOCKS / f"blender-{series}.txt",)
    )


def ray_environment() -> Environment:
    """Ray beside the worker's packages, for tests: the worker of most people has none."""
    python = worker_environment().python
    return Environment("ray", python, (), locks=(LOCKS / "ray.txt",), beside="worker")


def tools_environment() -> Environment:
    """What makes and audits the lock files."""
    return replace(
        worker_environment(),
        name="tools",
        packages=(),
        editable=False,
        locks=(LOCKS / "tools.txt",),
    )


def default_blender() -> str:
    """4.5 where Python 3.11 is to be had, else the newest series there is a Python for."""
    for series in ("4.5", "5.2"):
        if find_python(BLENDERS[series][1]):
            return series
    raise BuildError(
        "Blender's Python module needs Python 3.11 (Blender 4.5) or 3.13 (Blender 5.2); "
        "install one of them and try again."
    )


def prepare(environment: Environment) -> Environment:
    """Make the environment or bring it up to date, and return it."""
    if is_up_to_date(environment):
        return environment
    BUILD.mkdir(exist_ok=True)
    with exclusive(BUILD / f"{environment.name}.lock"):
        if not is_up_to_date(environment):  # else another build has just done it
            fill(environment)
    return environment


def is_up_to_date(environment: Environment) -> bool:
    stamp = environment.folder / "photorig.stamp"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == environment.stamp


def fill(environment: Environment) -> None:
    start = time.monotonic()
    shown = environment.folder.relative_to(BUILD.parent)
    say(f"Preparing {shown} (the first time takes some minutes) …")
    if not has_right_python(environment):
        make_virtual_environment(environment)
    pip = [environment.tool("python"), "-m", "pip", "install", "--disable-pip-version-check"]
    pip += ["--no-input", "--no-warn-script-location", "--progress-bar", "off"]
    if environment.locks:  # wheels only: an archive of sources would run code to be installed
        checked = ["--require-hashes", "--only-binary", ":all:"]
        if environment.beside:  # the lock has what is needed besides the other environment
            checked.append("--no-deps")
        files = [word for path in environment.locks for word in ("-r", str(path))]
        run_pip([*pip, *checked, *files], environment)
    if environment.packages:
        run_pip([*pip, *environment.packages], environment)
    if environment.editable:
        run_pip([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], environment)
    if environment.beside:
        see_packages_of(environment, BUILD / f"venv-{environment.beside}")
    (environment.folder / "photorig.stamp").write_text(environment.stamp, encoding="utf-8")
    say(f"  ready after {time.monotonic() - start:.0f} s")


def see_packages_of(environment: Environment, other: Path) -> None:
    """Have an environment find what another one of the same Python has."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    here = subprocess.run(
        [environment.tool("python"), "-c", ask], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = other / Path(here).relative_to(environment.folder.resolve())
    # A folder of packages with .pth files of its own, which a plain path would not be.
    line = f"import site; site.addsitedir({str(there)!r})\n"
    (Path(here) / f"{other.name}.pth").write_text(line, encoding="utf-8")


def has_right_python(environment: Environment) -> bool:
    """Whether there is an environment already, made with the Python that is wanted now."""
    settings = environment.folder / "pyvenv.cfg"
    if not settings.is_file() or not Path(environment.tool("python")).is_file():
        return False
    version = re.search(r"(?m)^version(?:_info)? *= *(\d+)\.(\d+)", settings.read_text())
    return version is not None and (int(version[1]), int(version[2])) == environment.python


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one build at a time work on something; the others wait."""
    with path.open("a+") as lock:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_virtual_environment(environment: Environment) -> None:
    name = ".".join(map(str, environment.python))
    python = find_python(environment.python)
    if python is None:
        raise BuildError(f"{environment.name} needs Python {name}, which was not found.")
    probe = [python, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        # Debian splits the standard library and leaves this part out.
        install_debian_packages([f"python{name}-venv"])
    done = subprocess.run(
        [python, "-m", "venv", "--clear", str(environment.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = " ".join((done.stdout + done.stderr).split())
        raise BuildError(f"No virtual environment could be made with {python}: {reason}")


def run_pip(command: list[str], environment: Environment) -> None:
    """Run pip, show what is long, and keep the whole story in .build/logs/."""
    log = BUILD / "logs" / f"pip-{environment.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=child_environment(PIP_ROOT_USER_ACTION="ignore"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            big = re.match(r"\s*Downloading (\S+) \((\d{2,}(\.\d+)? MB|.*GB)\)", line)
            if big:
                say(f"  downloading {big[1].rsplit('/', 1)[-1]} ({big[2]})")
    with log.open("a", encoding="utf-8") as out:
        out.write("\n".join([" ".join(command), *lines, ""]))
    if process.returncode:
        errors = [line for line in lines if re.match(r"\s*ERROR: ", line)]
        reason = (errors or lines or ["no reason given"])[0].strip().removeprefix("ERROR: ")
        raise BuildError(
            f"pip could not fill .build/venv-{environment.name}: {reason} "
            f"The whole story is in {log.relative_to(ROOT)}."
        )


# ---------------------------------------------------------------------------------------------
# Libraries of the operating system


def check_system_libraries() -> None:
    """Make sure that the shared libraries bpy and mediapipe need are there (Linux only)."""
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:" + os.environ.get("PATH", ""))
    if not sys.platform.startswith("linux") or ldconfig is None:
        return
    known = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    missing = [name for name in SYSTEM_LIBRARIES if f"\t{name} " not in known]
    if missing and shutil.which("apt-get"):
        install_debian_packages([SYSTEM_LIBRARIES[name] for name in missing])
    elif missing:
        say(f"Warning: these libraries were not found and may be needed: {', '.join(missing)}.")


def install_debian_packages(packages: list[str]) -> None:
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        raise BuildError(f"These are needed and missing: {' '.join(packages)}.")
    if os.geteuid() != 0:
        raise BuildError(f"System packages are missing; run: sudo {' '.join(command)}")
    say(f"Installing system packages: {' '.join(packages)} …")
    for step in (["apt-get", "update", "-q"], command):
        done = subprocess.run(
            step,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            reason = (lines or ["no reason given"])[0].removeprefix("E: ")
            raise BuildError(f"'{' '.join(step)}' failed: {reason}")
