#!/usr/bin/env python3
"""Build, test and show Photorig. Needs nothing but Python; everything it makes lies in .build/.

    python build.py demo       keyframes on a rigged head in Blender become a film of a real face
    python build.py test       lint, types and all tests
    python build.py extension  the Blender extension as zip files and a repository to install from

Each command first makes what it needs: one virtual environment for the worker and one for
Blender's Python module. What is there already and unchanged is left alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / ".ci"))

from environments import (
    BLENDERS,
    BUILD,
    ROOT,
    WORKER_PYTHONS,
    BuildError,
    Environment,
    blender_environment,
    check_system_libraries,
    child_environment,
    default_blender,
    find_python,
    prepare,
    ray_environment,
    run,
    say,
    tools_environment,
    worker_environment,
)

DEVELOPMENT = BUILD / "dev"
RAY_TESTS = (
    "tests/contract/test_executors.py",
    "tests/contract/test_ray.py",
    "tests/faults/test_ray_rooms.py",
)
"""What is run in the environment that has Ray, besides that which has none."""

# ---------------------------------------------------------------------------------------------
# The commands


def link_development_packages() -> None:
    """Make .build/dev, where the rooms appear under the names they have when installed.

    Type checkers look there: they cannot follow the import hook of an editable installation.
    """
    rooms = {f"photorig/{room}": ROOT / room for room in ("worker", "shared", "models")}
    addon = ROOT / "blender_addon"
    for entry in sorted(addon.iterdir()) if addon.is_dir() else ():
        if entry.name not in ("__pycache__", "packaging", "shared"):
            rooms[f"photorig_addon/{entry.name}"] = entry
    rooms["photorig_addon/shared"] = ROOT / "shared"
    shutil.rmtree(DEVELOPMENT / "photorig_addon", ignore_errors=True)
    for name, target in rooms.items():
        link = DEVELOPMENT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and link.resolve() == target:
            continue
        if link.is_symlink() or link.is_file():
            link.unlink()
        elif link.is_dir():
            shutil.rmtree(link)
        try:
            link.symlink_to(os.path.relpath(target, link.parent), target.is_dir())
        except OSError:  # Windows without developer mode: a copy serves, renewed each time
            if target.is_dir():
                shutil.copytree(target, link)
            else:
                shutil.copy(target, link)


def prepare_worker() -> Environment:
    check_system_libraries()
    worker = prepare(worker_environment())
    link_development_packages()
    return worker


def chosen_series(args: argparse.Namespace) -> list[str]:
    if args.blender == "all":
        return list(BLENDERS)
    return [args.blender or default_blender()]


def command_setup(args: argparse.Namespace) -> int:
    prepare_worker()
    for series in chosen_series(args):
        prepare(blender_environment(series))
    say("Everything is installed.")
    return 0


def build_extension(
    series: str, out: Path, platforms: str, tools: Environment | None = None
) -> list[Path]:
    """The extension's zip files for the Python generation of a Blender series.

    ``tools`` is the environment whose Blender checks them; that of the series itself if None.
    """
    blender = tools or prepare(blender_environment(series))
    python = "".join(map(str, BLENDERS[series][1]))
    out.mkdir(parents=True, exist_ok=True)
    script = str(ROOT / "blender_addon" / "packaging" / "build_zip.py")
    command = [blender.tool("python"), script, "--out", str(out), "--platforms", platforms]
    command += ["--python-generation", f"cp{python}"]
    done = subprocess.run(
        command, cwd=ROOT, env=child_environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    zips = [Path(line) for line in done.stdout.splitlines() if line.endswith(".zip")]
    if done.returncode or not zips:
        raise BuildError(f"The extension could not be built.\n{done.stdout}".rstrip())
    return zips


def command_extension(args: argparse.Namespace) -> int:
    check_system_libraries()
    # One series for each generation of Python stands for all; any Blender can check the zips.
    generations = {BLENDERS[series][1]: series for series in BLENDERS}
    chosen = list(generations.values())
    if args.blender not in (None, "all"):
        chosen = [args.blender]
    tools = prepare(blender_environment(default_blender()))
    out, zips = Path(args.out).resolve(), []
    for series in chosen:
        zips += build_extension(series, out, args.platforms, tools)
    for path in zips:
        say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    script = str(ROOT / "blender_addon" / "packaging" / "build_repository.py")
    command = [tools.tool("python"), script, "--out", str(out / "repository"), *map(str, zips)]
    if run(command, 600):
        raise BuildError("The repository for Blender could not be made.")
    return 0


def command_models(args: argparse.Namespace) -> int:
    return run([prepare_worker().tool("photorig"), "models", "fetch", *args.names], 3600)


def command_bench(args: argparse.Namespace) -> int:
    if args.devices:
        program = str(ROOT / "tests" / "scale" / "measure.py")
        out = str(ROOT / "docs" / "evaluation" / "scale" / "measured.json")
        command = [prepare(ray_environment()).tool("python"), "-P", program, "--out", out]
        return run([*command, "--portrait", str(Path(args.devices).resolve())], 1800)
    return run([prepare_worker().tool("photorig"), "bench"], 1800)


def command_demo(args: argparse.Namespace) -> int:
    start = time.monotonic()
    worker = prepare_worker()
    series = args.blender or default_blender()
    blender = prepare(blender_environment(series))
    if run([worker.tool("photorig"), "models", "fetch"], 3600):
        raise BuildError("Without the models there is no demo.")
    extension = build_extension(series, BUILD / "extension", "current")[0]
    command = [blender.tool("python"), str(ROOT / "tests" / "demo" / "run_demo.py")]
    # A photo is shown as a whole, with the face put back; a sampled person is nothing but a face.
    size = args.size or ("full" if args.photo else "256")
    out = args.out or str(BUILD / ("demo-photo" if args.photo else "demo"))
    command += ["--extension", str(extension), "--out", str(Path(out).resolve())]
    command += ["--seconds", str(args.seconds), "--size", size]
    if args.photo:
        command += ["--photo", *(str(Path(photo).resolve()) for photo in args.photo)]
    command += ["--worker", worker.tool("photorig")]
    code = run(command, args.timeout)
    if code:
        raise BuildError(f"The demo failed (exit code {code}); its last lines say why.")
    say(f"The demo took {time.monotonic() - start:.0f} s altogether.")
    return 0


def command_lock(args: argparse.Namespace) -> int:
    from locking import lock_everything

    for path in lock_everything(prepare(tools_environment())):
        say(str(path.relative_to(ROOT)))
    return 0


def command_audit(args: argparse.Namespace) -> int:
    """Ask the index for known vulnerabilities of what is locked."""
    tools, code = prepare(tools_environment()), 0
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        say(f"— {path.name}")
        checked = ["--require-hashes", "--disable-pip", "--strict", "-r", str(path)]
        code = run([tools.tool("pip-audit"), *checked], 600) or code
    return code


def command_faults(args: argparse.Namespace) -> int:
    """Things that go wrong, by schedule, and a ledger that shows what was lost."""
    worker, name = prepare_worker(), "fault_run.py"
    if args.executor == "ray":
        worker, name = prepare(ray_environment()), "ray_run.py"
    program = str(ROOT / "tests" / "faults" / name)
    command = [worker.tool("python"), "-P", program, "--schedules", str(args.schedules)]
    return run([*command, "--seed", str(args.seed)], 600 + 120 * args.schedules)


def command_simulate(args: argparse.Namespace) -> int:
    """docs/scale.md's numbers anew."""
    program = str(ROOT / "tests" / "scale" / "simulate.py")
    return run([prepare_worker().tool("python"), "-P", program, *args.options], 1800)


def command_clean(args: argparse.Namespace) -> int:
    if args.all:
        shutil.rmtree(BUILD, ignore_errors=True)
    for entry in BUILD.iterdir() if BUILD.is_dir() else ():
        if not entry.name.startswith("venv-"):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
    say("Removed all of .build/." if args.all else "Removed what was built; environments stay.")
    return 0


# ---------------------------------------------------------------------------------------------
# Lint and tests


@dataclass
class Outcome:
    """How one step of ``test`` or ``lint`` ended."""

    step: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def lint(worker: Environment) -> list[Outcome]:
    folders = os.pathsep.join(map(str, (DEVELOPMENT, ROOT / ".ci")))
    types = {"MYPYPATH": folders}
    steps = {
        "ruff check": ([worker.tool("ruff"), "check", "."], {}),
        "ruff format": ([worker.tool("ruff"), "format", "--check", "."], {}),
        "types: worker": (
            [worker.tool("mypy"), "-p", "photorig.worker", "-p", "photorig.shared"],
            types,
        ),
        "types: extension": ([worker.tool("mypy"), "-p", "photorig_addon"], types),
        "types: build.py": ([worker.tool("mypy"), "build.py"], types),
    }
    outcomes = []
    for step, (command, settings) in steps.items():
        start = time.monotonic()
        say(f"— {step}")
        code = run(command, 900, child_environment(**settings))
        seconds = time.monotonic() - start
        outcomes.append(Outcome(step, int(code == 0), int(code != 0), 0, seconds))
    return outcomes


def pytest(
    step: str, environment: Environment, arguments: list[str], timeout: float, **settings: str
) -> Outcome:
    """Run pytest in an environment; the counts come from its own report file."""
    report = BUILD / "results" / f"{step.replace(' ', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    start = time.monotonic()
    say(f"— {step}")
    command = [environment.tool("python"), "-m", "pytest", "-q", f"--junitxml={report}"]
    command += arguments
    code = run(command, timeout, child_environment(**settings))
    outcome = read_report(step, report, code)
    outcome.seconds = time.monotonic() - start
    return outcome


def read_report(step: str, report: Path, code: int) -> Outcome:
    """Counts of a pytest run; a run that ended without a report, or badly, never counts as good."""
    try:
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        total = int(suite.get("tests", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
    except (OSError, ElementTree.ParseError, StopIteration):
        say(f"{step}: the tests ended with exit code {code} and without a report")
        return Outcome(step, failed=1)
    if code and not failed:
        say(f"{step}: all tests passed, yet the exit code is {code}")
        failed = 1
    return Outcome(step, max(0, total - failed - skipped), failed, skipped)


def command_lint(args: argparse.Namespace) -> int:
    start = time.monotonic()
    return summarize(lint(prepare_worker()), start)


def command_test(args: argparse.Namespace) -> int:
    start = time.monotonic()
    worker = prepare_worker()
    outcomes = lint(worker) if "lint" in args.only else []
    if "unit" in args.only:
        if run([worker.tool("photorig"), "models", "fetch"], 3600):
            raise BuildError("Without the models the tests would mean little.")
        outcomes.append(pytest("unit and contract", worker, [*args.pytest], 1200))
    if "ray" in args.only:
        ray = prepare(ray_environment())
        outcomes.append(pytest("executor ray", ray, ["-m", "ray", *RAY_TESTS, *args.pytest], 600))
    if args.window or "window" in args.only:
        outcomes.append(window_test(worker, args))
    if "blender" in args.only:
        for series in chosen_series(args):
            zips = build_extension(series, BUILD / "extension", "current")
            outcomes.append(
                pytest(
                    f"Blender {series}",
                    prepare(blender_environment(series)),
                    ["tests/blender", *args.pytest],
                    1200,
                    PHOTORIG_EXTENSION_ZIP=str(zips[0]),
                    PHOTORIG_WORKER=worker.tool("photorig"),
                )
            )
    return summarize(outcomes, start)


def window_test(worker: Environment, args: argparse.Namespace) -> Outcome:
    """Blenders with real windows, clicked through with a mouse; screenshots in .build/window/."""
    zips = build_extension("5.2", BUILD / "extension", "current")
    return pytest(
        "windows",
        worker,
        ["tests/window", *args.pytest],
        7200,
        PHOTORIG_WINDOWS="" if args.window in (None, "all") else args.window,
        PHOTORIG_EXTENSION_ZIP=str(zips[0]),
        PHOTORIG_WORKER=worker.tool("photorig"),
    )


def summarize(outcomes: list[Outcome], start: float) -> int:
    say("")
    for outcome in outcomes:
        state = "failed" if outcome.failed else "ok"
        say(
            f"{outcome.step:<20} {state:<7} {outcome.passed:4} passed {outcome.failed:3} failed "
            f"{outcome.skipped:3} skipped {outcome.seconds:7.1f} s"
        )
    passed, failed, skipped = (
        sum(getattr(outcome, name) for outcome in outcomes)
        for name in ("passed", "failed", "skipped")
    )
    seconds = time.monotonic() - start
    say(f"{passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s")
    return 1 if failed else 0


# ---------------------------------------------------------------------------------------------
# The command line


def parse_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, blender: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        if blender:
            command.add_argument("--blender", choices=[*BLENDERS, "all"], help="Blender series")
        return command

    add("setup", "make the virtual environments", blender=True)
    demo = add("demo", "a film of a real face from keyframes on a rigged head")
    demo.add_argument("--blender", choices=list(BLENDERS), help="Blender series")
    demo.add_argument("--seconds", type=float, default=3.0, help="length of the film")
    demo.add_argument("--photo", nargs="+", metavar="FILE", help="drive the person in your photo")
    demo.add_argument(
        "--size",
        choices=["256", "512", "1024", "full"],
        help="of the frames (256; with --photo the whole photo)",
    )
    demo.add_argument("--out", help="folder for the results")
    demo.add_argument("--timeout", type=float, default=3600.0, help="give up after these seconds")
    test = add("test", "lint, types and all tests", blender=True)
    test.add_argument(
        "--only",
        nargs="+",
        choices=["lint", "unit", "ray", "blender", "window"],
        default=["lint", "unit", "ray", "blender"],
        help="only these parts",
    )
    test.add_argument(
        "--window",
        nargs="?",
        const="all",
        choices=["4.3", "5.2", "all"],
        help="real windows too (Linux, root): Debian's Blender 4.3, 5.2 or all",
    )
    test.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    add("lint", "ruff and the type checker")
    extension = add("extension", "build the Blender extension", blender=True)
    extension.add_argument("--out", default=str(BUILD / "extension"), help="folder for the zips")
    extension.add_argument("--platforms", default="all", help="all, current or names with commas")
    bench = add("bench", "measured milliseconds per frame on this computer")
    bench.add_argument(
        "--devices",
        metavar="PORTRAIT",
        help="instead: what the simulation of many devices needs, into docs/evaluation/scale/",
    )
    models = add("models", "fetch model weights")
    models.add_argument("names", nargs="*", help="which; those of the default bundle if none")
    add("lock", "lock files with hashes, and the bill of materials, anew from pyproject.toml")
    add("audit", "known vulnerabilities of what is locked (asks the package index)")
    faults = add("faults", "kills, pauses, cut networks and full disks; nothing may be lost")
    faults.add_argument("--schedules", type=int, default=20, help="how many (20)")
    faults.add_argument(
        "--executor",
        choices=["local", "ray"],
        default="local",
        help="of the worker; ray: three computers in network namespaces (Linux, root)",
    )
    faults.add_argument("--seed", type=int, default=1, help="of the first one (1)")
    simulate = add(
        "simulate", "docs/scale.md's numbers anew: a farm of 1 to 10,000 devices, simulated"
    )
    simulate.add_argument("options", nargs="*", help="of tests/scale/simulate.py, after --")
    clean = add("clean", "remove what was built")
    clean.add_argument("--all", action="store_true", help="the virtual environments too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  (this is how one learns of it)
        newer = next(filter(None, map(find_python, WORKER_PYTHONS)), None)
        if newer is None:
            say(f"Photorig needs Python 3.11 or newer; this is {platform.python_version()}.")
            return 1
        return subprocess.call([newer, __file__, *words])
    for stream in (sys.stdout, sys.stderr):  # whose encoding may lack a letter of ours
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    args = parse_arguments(words)
    try:
        return int(globals()[f"command_{args.command}"](args))
    except BuildError as error:
        say(f"build.py {args.command}: {error}")
        return 1
    except OSError as error:
        say(f"build.py {args.command}: {error.strerror or error} ({error.filename or 'no file'}).")
        return 1
    except KeyboardInterrupt:
        say(f"build.py {args.command}: stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
