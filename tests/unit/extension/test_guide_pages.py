"""The guide as pages that travel with the extension."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    path = ROOT / "blender_addon" / "packaging" / "guide_pages.py"
    spec = importlib.util.spec_from_file_location("guide_pages", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("# A & B\n", '<h1 id="a--b">A &amp; B</h1>'),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("* a\n  b\n* c", "<ul><li>a b</li><li>c</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("| a | b |\n|---|---|\n| c | d |", "<tr><td>c</td><td>d</td></tr>"),
        ("```\na < b\n```", "<pre>a &lt; b</pre>"),
        ("    photorig <x>", "<pre>photorig &lt;x&gt;</pre>"),
        ("`*a*` *b* **c**", "<code>*a*</code> <i>b</i> <b>c</b>"),
        ("[x](mapping.md#a-b)", '<a href="mapping.html#a-b">x</a>'),
        ("[x](README.md)", '<a href="index.html">x</a>'),
        ("[x](../design.md)", "<p>x</p>"),
        ("![a picture](pictures/a.jpg)", '<img src="pictures/a.jpg" alt="a picture">'),
    ],
)
def test_markdown_becomes_a_page(pages: ModuleType, markdown: str, wanted: str) -> None:
    assert wanted in pages.page(markdown)


def test_every_link_of_the_guide_leads_somewhere(pages: ModuleType, tmp_path: Path) -> None:
    pages.write_guide(ROOT / "docs" / "guide", tmp_path / "guide")
    written = sorted((tmp_path / "guide").glob("*.html"))
    assert len(written) == len(list((ROOT / "docs" / "guide").glob("*.md")))
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "](" not in text and "**" not in text.replace("&#42;", ""), path.name
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            if target.startswith("http"):
                continue
            name, _, anchor = target.partition("#")
            page = path.parent / name if name else path
            assert page.is_file(), f"{path.name}: {target}"
            if anchor:
                assert f'id="{anchor}"' in page.read_text(encoding="utf-8"), target
