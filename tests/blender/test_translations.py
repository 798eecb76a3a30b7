"""The interface in other languages, and the guide behind F1."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlparse
from urllib.request import url2pathname

import bpy
import pytest
from fake_layout import FakeLayout

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("de_DE", "zh_HANS")
SAME = {"CPU", "CUDA", "Metal", "Photorig", "256", "512", "1024"}
SAME |= {"XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"}
"""What is the same in every language."""


def table(modules: SimpleNamespace, language: str) -> dict[str, str]:
    path = ROOT / "blender_addon" / "translations" / f"{language}.po"
    translated: dict[str, str] = modules.translation.read_po(path.read_text(encoding="utf-8"))
    return translated


def labels_of(owner: bpy.types.Struct) -> Iterator[str]:
    for item in owner.properties:
        if item.identifier in ("rna_type", "name", "bl_idname") or item.is_hidden:
            continue
        yield item.name
        if item.type == "ENUM":
            yield from (choice.name for choice in item.enum_items)


def subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def all_labels(package: str) -> set[str]:
    """Every name that Blender shows of a registered class of ours."""
    labels: set[str] = set()
    for name in dir(bpy.ops.photorig):
        operator = getattr(bpy.ops.photorig, name).get_rna_type()
        labels |= {operator.name, *labels_of(operator)}
    for kind in (bpy.types.Panel, bpy.types.Menu):
        ours = (each for each in subclasses(kind) if each.__module__.startswith(package))
        labels |= {each.bl_label for each in ours}
    for kind in (bpy.types.PropertyGroup, bpy.types.AddonPreferences):
        for each in subclasses(kind):
            if each.__module__.startswith(package):
                labels |= set(labels_of(each.bl_rna))
    return {label for label in labels if label}


def labels_in_code() -> set[str]:
    """What layouts are told to write."""
    found: set[str] = set()
    for path in (ROOT / "blender_addon").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'\b(?:text|heading)="([^"]+)"', source))
        found |= set(re.findall(r'\bsaid\(\s*"([^"]+)"', source))
        found |= set(re.findall(r'poll_message_set\("([^"]+)"\)', source))
    return {text for text in found if any(map(str.isalpha, text))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_is_translated(modules: SimpleNamespace, language: str) -> None:
    wanted = (all_labels(modules.package) | labels_in_code()) - SAME
    missing = wanted - set(table(modules, language))
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_of_a_sentence_stay_in_it(modules: SimpleNamespace, language: str) -> None:
    for message, text in table(modules, language).items():
        assert set(re.findall(r"\{\w+\}", message)) == set(re.findall(r"\{\w+\}", text)), message


def test_both_languages_have_the_same_messages(modules: SimpleNamespace) -> None:
    german, chinese = (table(modules, language) for language in LANGUAGES)
    assert german.keys() == chinese.keys()


def test_a_file_of_gettext_is_read(modules: SimpleNamespace) -> None:
    text = '# who\nmsgid ""\nmsgstr "Language: de\\n"\n\nmsgid "a \\"b\\""\nmsgstr ""\n"c "\n"d"\n'
    assert modules.translation.read_po(text + 'msgid "later"\nmsgstr ""\n') == {'a "b"': "c d"}


@pytest.mark.parametrize("line", ['msgid "a', "a = 1", "msgstr 5", '"begins nowhere"', "msgid"])
def test_a_damaged_file_names_its_line(modules: SimpleNamespace, line: str) -> None:
    with pytest.raises(modules.errors.InputError, match="line 1"):
        modules.translation.read_po(line)


def test_without_a_translation_it_is_english(modules: SimpleNamespace) -> None:
    assert modules.translation.said("{stage}, {count} s left", stage="Fit", count=3) == (
        "Fit, 3 s left"
    )


def test_f1_leads_every_button_to_a_page_that_is_there(modules: SimpleNamespace) -> None:
    prefix, patterns = modules.manual.manual_map()
    assert (prefix, patterns) in [function() for function in bpy.utils._manual_map]
    folder = Path(url2pathname(urlparse(prefix).path))
    names = [f"bpy.ops.photorig.{name}" for name in dir(bpy.ops.photorig)]
    names += [
        f"bpy.types.{each.bl_rna.identifier}.{item.identifier}".lower()
        for each in subclasses(bpy.types.PropertyGroup)
        if each.__module__.startswith(modules.package)
        for item in each.bl_rna.properties
    ]
    for name in names:
        page = next((page for pattern, page in patterns if fnmatch.fnmatchcase(name, pattern)), "")
        assert (folder / page).is_file() and page, name


def test_the_documentation_button_opens_a_page_that_is_there(modules: SimpleNamespace) -> None:
    page = Path(url2pathname(urlparse(modules.manual.page_url()).path))
    assert "First shot" in page.read_text(encoding="utf-8")


def test_angles_and_lengths_show_their_unit(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:

    layout = FakeLayout()
    modules.panels.draw_parameters(layout, scene.camera.data, "test")
    assert layout.find("prop", "headYaw").options["text"] == "Head Yaw (°)"
    assert layout.find("prop", "headX").options["text"] == "Head X (cm)"
    assert layout.find("prop", "jawOpen").options["text"] == "Jaw Open"
