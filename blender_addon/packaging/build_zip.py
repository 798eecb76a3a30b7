# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension's zip files: one for each platform and generation of Blender's Python.

Run it with a Python that has bpy installed beside it (for Blender's own checker) and pip:

    python blender_addon/packaging/build_zip.py --out DIR [--platforms all|current|NAMES]
                                                [--python-generation cp311|cp313]

The path of each zip is printed on a line of its own. Standard library only.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

ADDON = Path(__file__).resolve().parent.parent
ROOT = ADDON.parent
sys.path[:0] = [str(ROOT / ".ci"), str(ADDON / "packaging")]

from bill_of_materials import bill_of_materials, component, inside  # noqa: E402
from guide_pages import write_guide  # noqa: E402
from lock_file import FOLDER, WORKER, licences, pin_of, sha256  # noqa: E402

WHEEL_CACHE = ROOT / ".build" / "wheels"
PYZMQ = pin_of("pyzmq", FOLDER / WORKER)
"""The one wheel of the extension, with the hashes of all its builds."""
BILL_NAME = "bill-of-materials.cdx.json"
_INSIDE_PYZMQ = (inside("libzmq", "4.3.5", "MPL-2.0"), inside("libsodium", "1.0.22", "ISC"))
_LEFT_OUT = shutil.ignore_patterns("packaging", "__pycache__", "*.pyc", ".*", "shared")


@dataclass(frozen=True)
class Generation:
    """The Blenders whose Python can load the same wheels.

    Attributes:
        name: in the zip's file name.
        blender_min, blender_max: first version, and first version that is too new or None.
        pip_options: what pip needs to fetch the wheel for this Python.
    """

    name: str
    blender_min: str
    blender_max: str | None
    pip_options: tuple[str, ...]


GENERATIONS = {
    "py311": Generation("py311", "4.2.0", "5.1.0", ("--python-version", "3.11", "--abi", "cp311")),
    "py313": Generation("py313", "5.1.0", None, ("--python-version", "3.13", "--abi", "abi3")),
}

WHEEL_PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_26_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_10_15_universal2"),
    "macos-x64": ("macosx_10_15_x86_64", "macosx_10_15_universal2"),
}
"""The platforms we build for, in Blender's names, with pip's names for wheels that fit."""


class PackagingError(Exception):
    """The zip cannot be built; the text says why in a sentence."""


def build(out_dir: Path, generation: str, platforms: list[str]) -> list[Path]:
    """Build and check one zip for each platform.

    Args:
        out_dir: made if missing.
        generation: "py311" (Blender 4.2 to 5.0) or "py313" (5.1 and newer).
        platforms: Blender's names, as in WHEEL_PLATFORMS.

    Raises:
        PackagingError: a wheel cannot be had, or the result breaks a rule for extensions.
    """
    checker = find_checker()
    out_dir.mkdir(parents=True, exist_ok=True)
    zips = []
    for name in platforms:
        with tempfile.TemporaryDirectory() as folder:
            stage = Path(folder) / "photorig"
            manifest = stage_extension(stage, GENERATIONS[generation], name)
            path = out_dir / f"photorig-{manifest['version']}-{generation}-{name}.zip"
            check_stage(stage, manifest)
            run_checker(
                checker, "build", "--source-dir", str(stage), "--output-filepath", str(path)
            )
        run_checker(checker, "validate", str(path))
        check_zip(path, manifest)
        zips.append(path)
    return zips


def stage_extension(stage: Path, generation: Generation, platform_name: str) -> dict[str, object]:
    """Lay out a folder as it will be in the zip; returns its manifest."""
    shutil.copytree(ADDON, stage, ignore=_LEFT_OUT)
    shutil.copytree(ROOT / "shared", stage / "shared", ignore=_LEFT_OUT)
    write_guide(ROOT / "docs" / "guide", stage / "guide")
    wheel = fetch_wheel(generation, platform_name)
    (stage / "wheels").mkdir()
    shutil.copy(wheel, stage / "wheels")
    manifest = stage / "blender_manifest.toml"
    text = specialised_manifest(manifest.read_text(), generation, platform_name, wheel.name)
    manifest.write_text(text)
    told = tomllib.loads(text)
    bill = zip_bill(str(told["version"]), sha256(wheel))
    (stage / BILL_NAME).write_text(bill, encoding="utf-8")
    return told


def zip_bill(version: str, wheel_hash: str) -> str:
    """The bill of materials of one zip: the extension, its wheel, and what is built into that."""
    pin = replace(PYZMQ, hashes=frozenset({wheel_hash}))
    parts = [component(pin, licences()[pin.name], *_INSIDE_PYZMQ)]
    return bill_of_materials("photorig-extension", version, LICENCE.removeprefix("SPDX:"), parts)


def specialised_manifest(
    text: str, generation: Generation, platform_name: str, wheel_name: str
) -> str:
    """The manifest of one zip: Blender versions, platform and wheel filled in."""
    lines = [f'blender_version_min = "{generation.blender_min}"']
    if generation.blender_max is not None:
        lines.append(f'blender_version_max = "{generation.blender_max}"')
    lines.append(f'platforms = ["{platform_name}"]')
    lines.append(f'wheels = ["./wheels/{wheel_name}"]')
    text, count = re.subn(r"(?m)^blender_version_min = .*$", "\n".join(lines), text)
    if count != 1:
        raise PackagingError("blender_manifest.toml needs one line with blender_version_min.")
    return text


def fetch_wheel(generation: Generation, platform_name: str) -> Path:
    """The pyzmq wheel, from the cache or by pip (so that a configured index is used).

    Raises:
        PackagingError: there is none, or it is not one of those in the lock file.
    """
    wanted = f"{PYZMQ.name}=={PYZMQ.version}"
    cache = WHEEL_CACHE / f"{wanted}-{generation.name}-{platform_name}"
    for cached in sorted(cache.glob("*.whl")):
        if sha256(cached) in PYZMQ.hashes:
            return cached
        cached.unlink()  # damaged, or of a time before there were hashes
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "lock.txt"
        lock.write_text(" ".join([wanted, *(f"--hash=sha256:{one}" for one in PYZMQ.hashes)]))
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", folder]
        command += ["--implementation", "cp", *generation.pip_options]
        for tag in WHEEL_PLATFORMS[platform_name]:
            command += ["--platform", tag]
        command += ["--require-hashes", "-r", str(lock)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1 or sha256(wheels[0]) not in PYZMQ.hashes:
            raise PackagingError(
                f"Cannot fetch {wanted} for {platform_name}: {done.stderr.strip()[-500:]}"
            )
        cache.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheels[0], cache / wheels[0].name))


def find_checker() -> Path:
    """Blender's own extension tool, inside the bpy package of this Python."""
    packages = Path(sysconfig.get_paths()["purelib"])
    found = sorted(packages.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise PackagingError(f"There is no bpy in {packages}; run this with a Python that has it.")
    return found[-1]


def run_checker(checker: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(checker), *arguments], capture_output=True, text=True, check=False
    )
    output = f"{done.stdout}\n{done.stderr}".strip()
    # The tool ends with 0 after some failures, so its words count too.
    if done.returncode or "ERROR" in output:
        raise PackagingError(f"Blender's checker refuses the extension ({arguments[0]}):\n{output}")


ADDON_TAGS = {"Animation", "Render", "Sequencer"}
LICENCE = "SPDX:GPL-3.0-or-later"
_FOREIGN_IMPORT = re.compile(
    r"^\s*(?:import|from)\s+(torch|cv2|threading|concurrent|multiprocessing|pickle|photorig)\b",
    re.MULTILINE,
)
_PATH_EDIT = re.compile(r"\bsys\.path\.(?:append|insert|extend)|\bsys\.path\s*\+?=")


def check_stage(stage: Path, manifest: dict[str, object]) -> None:
    """What Blender's checker lets pass though it is wrong, and our own rules."""
    problems = []
    if manifest["license"] != [LICENCE]:
        problems.append(f"the licence must be {LICENCE}")
    if set(manifest["tags"]) - ADDON_TAGS:  # type: ignore[call-overload]
        problems.append("a tag is not one of Blender's that we use")
    if set(manifest["platforms"]) - set(WHEEL_PLATFORMS):  # type: ignore[call-overload]
        problems.append("a platform is unknown")
    newest = str(manifest.get("blender_version_max", "99.0.0"))
    if version_numbers(str(manifest["blender_version_min"])) >= version_numbers(newest):
        problems.append("blender_version_max must be above blender_version_min")
    if f'VERSION = "{manifest["version"]}"' not in (stage / "extension.py").read_text():
        problems.append("extension.py and the manifest disagree")
    for path in sorted(stage.rglob("*.py")):
        text, name = path.read_text(), path.relative_to(stage)
        foreign = _FOREIGN_IMPORT.search(text)
        if foreign:
            problems.append(f"{name} imports {foreign[1]}")
        if _PATH_EDIT.search(text):
            problems.append(f"{name} edits sys.path")
    if problems:
        raise PackagingError(f"The extension breaks a rule: {'; '.join(problems)}.")


def version_numbers(text: str) -> tuple[int, ...]:
    """A version as numbers that can be compared."""
    return tuple(int(number) for number in text.split("."))


def check_zip(path: Path, manifest: dict[str, object]) -> None:
    """The zip holds what the manifest names, and nothing that is for development."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    wheels = {name.removeprefix("./") for name in manifest["wheels"]}  # type: ignore[attr-defined]
    needed = {
        "__init__.py",
        "blender_manifest.toml",
        "LICENSE",
        "guide/index.html",
        "shared/errors.py",
        BILL_NAME,
    } | wheels
    missing = needed - names
    if missing:
        raise PackagingError(f"{path.name} lacks {', '.join(sorted(missing))}.")
    strange = [name for name in names if "packaging/" in name or "__pycache__" in name]
    if strange:
        raise PackagingError(f"{path.name} holds {', '.join(sorted(strange))}.")


def current_platform() -> str:
    """This computer in Blender's words. Raises PackagingError for one we do not build for."""
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, "")
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    name = f"{system}-{machine}"
    if name not in WHEEL_PLATFORMS:
        raise PackagingError(f"There is no build for this platform ({name}).")
    return name


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the Photorig extension for Blender.")
    parser.add_argument("--out", type=Path, default=ROOT / ".build" / "extension", help="folder")
    parser.add_argument(
        "--platforms", default="current", help="'all', 'current', or names with commas"
    )
    parser.add_argument("--all-platforms", action="store_true", help="same as --platforms all")
    parser.add_argument(
        "--python-generation",
        default=f"cp{sys.version_info.major}{sys.version_info.minor}",
        help="'cp311' for Blender 4.2 to 5.0, 'cp313' for 5.1 and newer",
    )
    options = parser.parse_args(words)
    generation = options.python_generation.replace("cp", "py")
    try:
        if generation not in GENERATIONS:
            raise PackagingError(f"There is no build for {options.python_generation}.")
        if options.all_platforms or options.platforms == "all":
            platforms = list(WHEEL_PLATFORMS)
        elif options.platforms == "current":
            platforms = [current_platform()]
        else:
            platforms = options.platforms.split(",")
        unknown = set(platforms) - set(WHEEL_PLATFORMS)
        if unknown:
            raise PackagingError(f"There is no platform {', '.join(sorted(unknown))}.")
        for path in build(options.out, generation, platforms):
            print(path)
    except PackagingError as error:
        print(f"Error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
