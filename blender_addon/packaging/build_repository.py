# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a repository of zips that Blender installs from and updates from: a folder of static files.

Run it with a Python that has bpy installed beside it (for Blender's own generator):

    python blender_addon/packaging/build_repository.py --out DIR ZIP...

Any web server that serves files can hold the folder; the address of its index.json is what people
give to Blender. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from build_zip import (
    ADDON_TAGS,
    LICENCE,
    WHEEL_PLATFORMS,
    PackagingError,
    find_checker,
    run_checker,
    version_numbers,
)

BLENDERS = {"4.2.0": "3.11", "4.5.0": "3.11", "5.0.0": "3.11", "5.1.0": "3.13", "5.2.0": "3.13"}
"""The Blenders that we promise to work with, and the Python that each of them has."""
PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Photorig for Blender</title></head>
<body style="font-family: sans-serif; max-width: 60em; margin: 2em auto">
<h1>Photorig for Blender</h1>
<p>In Blender: <b>Preferences → Get Extensions → Repositories → + → Add Remote Repository</b>, with
the address of <a href="index.json">index.json</a>. Or drag a link of this table into Blender's
window.</p>
$body
<p>Made on $date (UTC).</p>
</body>
</html>
"""


def build_repository(out_dir: Path, zips: list[Path]) -> list[dict[str, Any]]:
    """Copy zips into a folder, write index.json and index.html beside them, and check the index.

    Args:
        out_dir: made anew; only a folder that holds nothing but an earlier repository is removed.

    Returns:
        The entries of the index.

    Raises:
        PackagingError: a zip is no extension, or the index would lead somebody to the wrong one.
    """
    if out_dir.exists():
        _remove_earlier(out_dir)
    out_dir.mkdir(parents=True)
    for path in zips:
        shutil.copy(path, out_dir / path.name)
    template = out_dir / "template.html"
    template.write_text(PAGE, encoding="utf-8")
    options = [f"--repo-dir={out_dir}", "--html", f"--html-template={template}"]
    run_checker(find_checker(), "server-generate", *options)
    template.unlink()
    entries = json.loads((out_dir / "index.json").read_text(encoding="utf-8"))["data"]
    problems = problems_of(entries, out_dir)
    if problems:
        raise PackagingError(f"The repository breaks a rule: {'; '.join(problems)}.")
    return list(entries)


def _remove_earlier(folder: Path) -> None:
    strange = [
        path.name
        for path in folder.iterdir()
        if path.suffix != ".zip" and path.name not in ("index.json", "index.html", "template.html")
    ]
    if strange:
        raise PackagingError(f"{folder} is no repository: it holds {', '.join(sorted(strange))}.")
    shutil.rmtree(folder)


def problems_of(entries: list[dict[str, Any]], folder: Path) -> list[str]:
    """What Blender's generator lets pass though it is wrong; a sentence without its stop each."""
    problems = []
    named = {entry["archive_url"].removeprefix("./") for entry in entries}
    left_out = {path.name for path in folder.glob("*.zip")} - named
    if left_out:
        problems.append(f"the index leaves out {', '.join(sorted(left_out))}")
    if len({entry["version"] for entry in entries}) > 1:
        problems.append("the zips are of different versions")
    for entry in entries:
        problems += _problems_of_entry(entry, folder)
    platforms = sorted({name for entry in entries for name in entry.get("platforms", ())})
    for platform in platforms:
        for blender, python in BLENDERS.items():
            fitting = [entry for entry in entries if fits(entry, platform, blender, python)]
            if len(fitting) > 1:
                problems.append(f"several zips fit Blender {blender} on {platform}")
            if not fitting and _is_whole(entries):
                problems.append(f"no zip fits Blender {blender} on {platform}")
    return problems


def _problems_of_entry(entry: dict[str, Any], folder: Path) -> list[str]:
    problems, url = [], entry["archive_url"]
    if not url.startswith("./"):
        return [f"{url} is no address beside the index"]
    data = (folder / url).read_bytes()
    if entry["archive_hash"] != f"sha256:{hashlib.sha256(data).hexdigest()}":
        problems.append(f"the checksum of {url} is wrong")
    if entry["archive_size"] != len(data):
        problems.append(f"the size of {url} is wrong")
    if entry["license"] != [LICENCE]:
        problems.append(f"the licence of {url} is not {LICENCE}")
    if set(entry["tags"]) - ADDON_TAGS:
        problems.append(f"a tag of {url} is not one of Blender's that we use")
    if len(entry.get("platforms", ())) != 1 or set(entry["platforms"]) - set(WHEEL_PLATFORMS):
        problems.append(f"{url} is not for one of our platforms")
    if not entry.get("python_versions"):
        problems.append(f"the index does not tell for which Python {url} is")
    return problems


def _is_whole(entries: list[dict[str, Any]]) -> bool:
    """Whether these are the zips of all generations of Python, not of one alone."""
    return len({entry["blender_version_min"] for entry in entries}) > 1


def fits(entry: dict[str, Any], platform: str, blender: str, python: str) -> bool:
    """Whether Blender would offer this zip there, by the rules of its package list."""
    version = version_numbers(blender)
    newest = entry.get("blender_version_max")
    return (
        platform in entry.get("platforms", ())
        and version_numbers(entry["blender_version_min"]) <= version
        and (newest is None or version < version_numbers(newest))
        and any(f"{python}.".startswith(f"{each}.") for each in entry["python_versions"])
    )


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make a repository for Blender of zips.")
    parser.add_argument("zips", nargs="+", type=Path, metavar="ZIP")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    options = parser.parse_args(words)
    try:
        build_repository(options.out.resolve(), options.zips)
    except PackagingError as error:
        print(f"Error: {error}")
        return 1
    print(options.out.resolve() / "index.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
