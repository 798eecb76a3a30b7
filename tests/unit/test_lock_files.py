"""What is installed is what was looked at: versions, hashes and licences of every package."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import distribution, distributions
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ci"), str(ROOT / "blender_addon" / "packaging")]

import build_zip  # noqa: E402
import environments  # noqa: E402
import lock_file  # noqa: E402
import locking  # noqa: E402

LOCKS = sorted(lock_file.FOLDER.glob("*.txt"))
PINS = [pin for path in LOCKS for pin in lock_file.read_lock(path)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_package_of_the_project_is_locked_at_its_version_but_torch() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = {*PROJECT["dependencies"], *extras["dev"], *extras["evaluate"]}
    wanted = {one for one in wanted if not one.startswith("torch==")}
    locked = {
        f"{pin.name}=={pin.version}"
        for name in (lock_file.WORKER, lock_file.TESTS)
        for pin in lock_file.read_lock(lock_file.FOLDER / name)
    }
    assert wanted <= locked
    assert environments.BUILD_BACKEND in locked


def test_the_extra_ray_is_locked_beside_the_worker_and_never_against_it() -> None:
    extra = {pin.name: pin for pin in lock_file.read_lock(lock_file.FOLDER / lock_file.RAY)}
    assert {f"{one.name}=={one.version}" for one in extra.values()} >= set(
        PROJECT["optional-dependencies"]["ray"]
    )
    for name in (lock_file.WORKER, lock_file.TESTS):
        for pin in lock_file.read_lock(lock_file.FOLDER / name):
            assert name != lock_file.WORKER or pin.name not in extra
            assert pin.name not in extra or extra[pin.name].version == pin.version


def test_neither_the_worker_nor_its_tests_bring_ray_along() -> None:
    for environment in (environments.worker_environment(), environments.tools_environment()):
        assert not [
            pin
            for path in environment.locks
            for pin in lock_file.read_lock(path)
            if pin.name == "ray"
        ]


@pytest.mark.parametrize("series", environments.BLENDERS)
def test_every_blender_is_locked_at_the_version_that_build_py_names(series: str) -> None:
    pin = lock_file.pin_of("bpy", lock_file.FOLDER / f"blender-{series}.txt")
    assert pin.version == environments.BLENDERS[series][0]


def test_the_worker_and_its_tests_agree_and_repeat_nothing() -> None:
    worker, tests = (
        {pin.name for pin in lock_file.read_lock(lock_file.FOLDER / name)}
        for name in (lock_file.WORKER, lock_file.TESTS)
    )
    assert not worker & tests
    assert not {name for name in worker | tests if name.startswith(("torch", "nvidia-", "triton"))}


def test_build_py_lets_pip_check_the_hashes_and_take_wheels_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(environments, "BUILD", tmp_path / ".build")
    monkeypatch.setattr(environments, "has_right_python", lambda _: True)
    monkeypatch.setattr(environments, "run_pip", lambda command, _: commands.append(command))
    environment = environments.worker_environment()
    environment.folder.mkdir(parents=True)
    environments.fill(environment)
    checked, torch, own = commands
    assert {"--require-hashes", "--only-binary"} <= set(checked)
    assert [word for word in torch if "==" in word] == [
        one for one in PROJECT["dependencies"] if one.startswith("torch==")
    ]
    assert "--editable" in own and "--no-deps" in own


def test_an_environment_is_stale_when_a_lock_file_changes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1")
    environment = environments.Environment("x", (3, 11), (), locks=(lock,))
    before = environment.stamp
    lock.write_text("a==2")
    assert environment.stamp != before


def test_an_entry_without_a_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(f"a==1 ; sys_platform == 'win32' \\\n    --hash=sha256:{'0' * 64}\nb==2\n")
    with pytest.raises(ValueError, match="b==2"):
        lock_file.read_lock(path)
    path.write_text(path.read_text().replace("b==2\n", ""))
    assert lock_file.read_lock(path) == [
        lock_file.Pin("a", "1", "sys_platform == 'win32'", frozenset({"0" * 64}))
    ]


def test_every_package_has_a_licence_that_we_take() -> None:
    assert {pin.name for pin in PINS} | {"torch"} == set(lock_file.licences())


@pytest.mark.parametrize(
    "licence", ["SSPL-1.0", "MIT AND AGPL-3.0-only", "GPL-2.0-only OR SSPL-1.0"]
)
def test_another_licence_is_refused(licence: str) -> None:
    with pytest.raises(ValueError, match="The licence of x"):
        lock_file.check_licences({"x": licence}, {"MIT", "BSD-3-Clause"})
    lock_file.check_licences({"x": "MIT AND (SSPL-1.0 OR BSD-3-Clause)"}, {"MIT", "BSD-3-Clause"})


SAYS = {
    "Apache": "Apache-2.0",
    "BSD": "BSD-",
    "Boost": "BSL-1.0",
    "MIT": "MIT",
    "Mozilla": "MPL-2.0",
    "Python Software Foundation": "PSF-2.0",
}
"""How packages of before SPDX name what the list has."""


def installed() -> list[str]:
    here = {lock_file.normalized(one.metadata["Name"]) for one in distributions()}
    return sorted(here & set(lock_file.licences()))


@pytest.mark.parametrize("name", installed())
def test_a_package_says_the_same_of_its_licence_as_the_list(name: str) -> None:
    told = distribution(name).metadata
    listed = lock_file.licences()[name]
    if told.get("License-Expression"):
        assert told["License-Expression"] == listed
        return
    words = [word for word in told.get_all("Classifier") or [] if word.startswith("License")]
    text = " ".join([*words, (told.get("License") or "")[:60]])
    assert any(ours in listed for word, ours in SAYS.items() if word in text) or listed in text


def bill(text: str) -> dict[str, dict[str, object]]:
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    return {one["name"]: one for one in document["components"]}


def test_the_workers_bill_of_materials_is_that_of_its_lock_file() -> None:
    text = locking.WORKER_BILL.read_text(encoding="utf-8")
    assert text == locking.worker_bill(), "run python build.py lock"
    listed = bill(text)
    locked = lock_file.read_lock(lock_file.FOLDER / lock_file.WORKER)
    assert {name: one["version"] for name, one in listed.items() if name != "torch"} == {
        pin.name: pin.version for pin in locked
    }
    assert "not pinned" in str(listed["torch"]["properties"])


def test_the_worker_takes_its_bill_of_materials_along() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    data = settings["setuptools"]["package-data"]["photorig.worker"]
    assert locking.WORKER_BILL.name in data


def test_the_bill_of_materials_of_a_zip_names_the_very_wheel_in_it() -> None:
    listed = bill(build_zip.zip_bill("0.1.0", "a" * 64))
    assert listed["pyzmq"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    parts = listed["pyzmq"]["components"]
    assert [one["name"] for one in parts] == ["libzmq", "libsodium"]  # type: ignore[attr-defined]


def test_a_bill_of_materials_is_the_same_each_time_and_another_for_other_content() -> None:
    first, same, other = (build_zip.zip_bill("0.1.0", one * 64) for one in "aab")
    number = re.compile(r"urn:uuid:[0-9a-f-]{36}")
    assert first == same
    assert number.search(first)[0] != number.search(other)[0]  # type: ignore[index]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build_zip, "WHEEL_CACHE", tmp_path)
    pin = build_zip.PYZMQ
    folder = tmp_path / f"pyzmq=={pin.version}-py311-linux-x64"
    folder.mkdir()
    return folder


def fetched(module: ModuleType) -> Path:
    return module.fetch_wheel(module.GENERATIONS["py311"], "linux-x64")


def test_a_wheel_of_the_extension_that_is_not_locked_is_not_taken(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheels / "pyzmq.whl").write_bytes(b"somebody else's")
    asked: list[list[str]] = []

    def pip(command: list[str], cwd: str, **_: object) -> object:
        asked.append(command)
        (Path(cwd) / "pyzmq.whl").write_bytes(b"somebody else's again")
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(build_zip.subprocess, "run", pip)
    with pytest.raises(build_zip.PackagingError, match="Cannot fetch pyzmq"):
        fetched(build_zip)
    assert "--require-hashes" in asked[0]
    assert not list(wheels.glob("*.whl"))


def test_a_wheel_of_the_extension_that_is_locked_is_taken_from_the_cache(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheels / "pyzmq.whl"
    path.write_bytes(b"the right one")
    hashes = frozenset({lock_file.sha256(path)})
    monkeypatch.setattr(build_zip, "PYZMQ", build_zip.replace(build_zip.PYZMQ, hashes=hashes))
    assert fetched(build_zip) == path
