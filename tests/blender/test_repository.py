"""The repository: what Blender installs from, and what is refused before anybody can."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "blender_addon" / "packaging" / "build_repository.py"
sys.path.insert(0, str(SCRIPT.parent))

from build_repository import fits, problems_of  # noqa: E402


def make(out: Path, *zips: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--out", str(out), *map(str, zips)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def repository(extension_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("repository") / "photorig"
    done = make(out, extension_zip)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def entries_of(repository: Path) -> list[dict[str, object]]:
    return list(json.loads((repository / "index.json").read_text())["data"])


def test_the_index_offers_the_zip_to_this_blender(repository: Path) -> None:
    (entry,) = entries_of(repository)
    version = "{}.{}.0".format(*bpy.app.version)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert fits(entry, entry["platforms"][0], version, python)  # type: ignore[index]
    assert not fits(entry, "windows-arm64", version, python)
    assert not fits(entry, entry["platforms"][0], "4.1.0", python)  # type: ignore[index]


def test_blender_installs_from_the_repositorys_address(repository: Path) -> None:
    """As a person does it: add the address, look what is there, install."""
    url = (repository / "index.json").as_uri()
    system = bpy.context.preferences.system
    was_online, system.use_online_access = system.use_online_access, True
    repos = bpy.context.preferences.extensions.repos
    repo = repos.new(name="Photorig", module="photorig_test", remote_url=url)
    try:
        index = list(repos).index(repo)
        bpy.ops.extensions.repo_sync(repo_index=index)
        bpy.ops.extensions.package_install(
            repo_index=index, pkg_id="photorig", enable_on_install=False
        )
        folder = Path(repo.directory)
        assert (folder / "photorig" / "blender_manifest.toml").is_file()
        shutil.rmtree(folder)
    finally:
        repos.remove(repo)
        system.use_online_access = was_online


def test_the_page_names_every_zip(repository: Path, extension_zip: Path) -> None:
    page = (repository / "index.html").read_text(encoding="utf-8")
    assert extension_zip.name in page
    assert "template" not in {path.stem for path in repository.iterdir()}


def test_two_zips_for_the_same_blender_are_refused(extension_zip: Path, tmp_path: Path) -> None:
    twin = tmp_path / f"twin-{extension_zip.name}"
    shutil.copy(extension_zip, twin)
    done = make(tmp_path / "out", extension_zip, twin)
    assert done.returncode == 1
    assert "Error: " in done.stdout


def test_a_zip_that_is_no_extension_is_refused(extension_zip: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.zip"
    with zipfile.ZipFile(strange, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    done = make(tmp_path / "out", extension_zip, strange)
    assert done.returncode == 1


def test_a_folder_of_somebodys_files_is_not_removed(extension_zip: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    done = make(tmp_path, extension_zip)
    assert done.returncode == 1
    assert "holiday.jpg" in done.stdout
    assert (tmp_path / "holiday.jpg").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"license": ["SPDX:GPL-3.0"]}, "licence"),
        ({"tags": ["Animaton"]}, "tag"),
        ({"platforms": ["linux-arm"]}, "platforms"),
        ({"python_versions": []}, "Python"),
        ({"archive_size": 1}, "size"),
        ({"archive_hash": "sha256:00"}, "checksum"),
    ],
)
def test_what_the_generator_lets_pass_is_found(
    repository: Path, change: dict[str, object], complaint: str
) -> None:
    (entry,) = entries_of(repository)
    assert problems_of([entry], repository) == []
    assert any(complaint in each for each in problems_of([{**entry, **change}], repository))
