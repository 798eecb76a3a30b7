"""A Debian in a folder, with a Blender that has windows, an X server and something that clicks.

Made once through Debian's ordinary client (debootstrap and apt) and kept in .build/window/. Only
root may make one; who is not root, or has no debootstrap, gets a sentence that says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build" / "window"
_DEBIAN = "http://deb.debian.org/debian"
_MAKE_SECONDS = 3600.0
_PACKAGES = (
    "blender xvfb xdotool imagemagick openbox libgl1-mesa-dri libegl1 fonts-dejavu-core"
    " python3-numpy python3-requests"
).split()


class NotPossible(Exception):
    """There can be no windows on this computer; the text is a sentence that says why."""


@dataclass(frozen=True)
class System:
    """A release of Debian that has the Blender series we want.

    Attributes:
        series: of its Blender.
        release: Debian's name.
        packages: what its Blender needs besides.
    """

    series: str
    release: str
    packages: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return FOLDER / self.release


SYSTEMS = {
    "4.3": System("4.3", "trixie"),
    "5.2": System("5.2", "sid", ("python3-cattr",)),
}


def make(system: System) -> Path:
    """The folder of a system that is ready for use, made now if it is not there.

    Raises:
        NotPossible: this computer cannot make or use one.
    """
    if not sys.platform.startswith("linux"):
        raise NotPossible("The window test needs Linux.")
    if os.geteuid() != 0:
        raise NotPossible("The window test makes a Debian in a folder, which only root may do.")
    for program in ("setpriv", "unshare", "chroot", "mount"):
        if not shutil.which(program):
            raise NotPossible(f"The window test needs the program {program}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{system.release}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it
        stamp = FOLDER / f"{system.release}.ready"
        wanted = " ".join((*_PACKAGES, *system.packages)) + "\n"
        if not stamp.is_file() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _fill(system)
            stamp.write_text(wanted)
    return system.folder


def _fill(system: System) -> None:
    """Make a Debian, or finish one whose making was stopped; anew if that cannot be finished."""
    if (system.folder / "etc").is_dir() and not (system.folder / "debootstrap").exists():
        try:
            _install(system)
            return
        except NotPossible:
            pass  # its log has the reason; one from the beginning may do better
    if not shutil.which("debootstrap"):
        raise NotPossible("The window test needs debootstrap: apt-get install debootstrap.")
    shutil.rmtree(system.folder, ignore_errors=True)
    options = ["--variant=minbase", "--components=main"]
    mirror = debian_mirror()
    _run(system, "debootstrap", *options, system.release, str(system.folder), mirror)
    _install(system)


def _install(system: System) -> None:
    """Everything that is missing, whatever of it is unpacked, half configured or not there."""
    folder = system.folder
    for settings in Path("/etc/apt/apt.conf.d").glob("*"):  # a proxy, where there is one
        target = folder / "etc/apt/apt.conf.d" / settings.name
        if not target.exists():
            shutil.copy(settings, target)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc") / name, folder / "etc" / name)
    apt = ("chroot", str(folder), "apt-get", "-y", "--no-install-recommends")
    with contextlib.suppress(NotPossible):  # it fails where a dependency is not even unpacked
        _run(system, "chroot", str(folder), "dpkg", "--configure", "-a")
    _run(system, *apt, "update")
    _run(system, *apt, "--fix-broken", "install")
    _run(system, *apt, "install", *_PACKAGES, *system.packages)
    _run(system, *apt, "clean")  # hundreds of megabytes of what is unpacked already
    version = subprocess.run(
        ["chroot", str(folder), "blender", "--version"], capture_output=True, text=True, check=False
    ).stdout
    if not version.startswith(f"Blender {system.series}."):
        told = version.partition("\n")[0] or "a Blender that does not start"
        raise NotPossible(f"Debian {system.release} has {told}, not Blender {system.series}.")


def debian_mirror() -> str:
    """Where this computer gets Debian from, else Debian's own address."""
    for path in sorted(Path("/etc/apt").glob("sources.list*/*")) + [Path("/etc/apt/sources.list")]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        for line in path.read_text(errors="replace").splitlines():
            found = re.match(r"\s*(?:URIs:|deb)\s.*?(https?://\S*/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    return _DEBIAN


def _run(system: System, *command: str) -> None:
    """Run one step, its words in a log; a step that fails is a reason to skip, not to hang.

    It ends when we do, so that nobody else finds somebody at work.
    """
    log = FOLDER / f"{system.release}.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with log.open("ab") as out:
        try:
            code = subprocess.run(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                timeout=_MAKE_SECONDS,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotPossible(f"Debian {system.release} could not be made: {error}.") from error
    if code:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith(("E: ", "W: Failure"))]
        reason = (errors or lines or ["no reason given"])[-1]
        raise NotPossible(f"Debian {system.release} could not be made: {reason} ({log}).")


if __name__ == "__main__":
    for name in sys.argv[1:] or list(SYSTEMS):
        print(make(SYSTEMS[name]))
