"""Fills the lists of files in docs/architecture.md from the first sentence of each module.

    python .ci/architecture.py

A list stands between ``<!-- files: FOLDER -->`` and ``<!-- end -->``. Standard library only.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
ROOMS = ("shared", "blender_addon", "worker")
_LIST = re.compile(r"<!-- files: (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(page: str) -> str:
    """The page with its lists as the tree has them now."""
    return _LIST.sub(lambda found: listed(found[1]), page)


def folders_of(page: str) -> list[str]:
    """The folders whose lists are on the page."""
    return [found[1] for found in _LIST.finditer(page)]


def listed(folder: str) -> str:
    """The list of one folder, marks included; packages inside it are lists of their own."""
    paths = sorted((ROOT / folder).glob("*.py"))
    rows = [f"| {path.name} | {sentence(path)} |" for path in paths if path.name != "__init__.py"]
    table = ["| file | holds |", "|---|---|", *rows] if rows else []
    return "\n".join([f"<!-- files: {folder} -->", *table, "<!-- end -->"])


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.replace("|", "\\|")


def packages() -> list[str]:
    """All folders of the rooms that hold modules."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return sorted({path.parent.relative_to(ROOT).as_posix() for path in files})


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
