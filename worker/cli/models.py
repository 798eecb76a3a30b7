"""``photorig models``: list, fetch and check the models there are, and bring others."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import replace
from typing import Any

from photorig.shared.errors import ModelError
from photorig.worker.registry import ModelCard, Registry, open_registry
from photorig.worker.registry.consent import accepts
from photorig.worker.registry.registry import MODELS_FOLDER
from photorig.worker.registry.seal import seal

ACTIONS = ("list", "fetch", "verify", "import", "seal")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "models",
        help="list, fetch, verify and import model weights",
        description="List the models (the default), fetch them into the cache, verify their "
        "checksums, import somebody else's StyleGAN2, encoder or direction matrix from a .pkl or "
        ".pt file, of which nothing is executed, or seal: write the checksum of freshly trained "
        "own weights into their card.",
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="which models; fetch: those of the default bundle, verify: all that are here; "
        "import: the file",
    )
    parser.add_argument("--name", help="import: what to call it (default: as the file)")
    parser.add_argument("--replace", action="store_true", help="import: over one of that name")
    parser.add_argument(
        "--accept-licence", action="store_true", help="fetch: the licences that are shown"
    )
    parser.add_argument("--all", action="store_true", help="every model there is a card for")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    registry = open_registry()
    chosen = _all(registry) if args.all else args.names
    if args.action == "list":
        return _list(registry, chosen or sorted(registry.cards), args.json)
    if args.action == "fetch":
        asked = replace(registry, accepts=(lambda card: True) if args.accept_licence else accepts)
        return _fetch(asked, chosen or bundle_models("default"), args.json)
    if args.action == "import":
        from . import models_import

        return models_import.run(args, registry)
    if args.action == "verify":
        return _verify(registry, chosen or _present(registry), args.json)
    return _seal(registry, chosen)


def _all(registry: Registry) -> list[str]:
    """Every model but those that only the user can get."""
    return [name for name, card in sorted(registry.cards.items()) if card.source.type != "manual"]


def bundle_models(bundle: str) -> list[str]:
    """Names of the models that a bundle needs to render and to fit photos.

    Raises ModelError for an unknown bundle.
    """
    path = MODELS_FOLDER / f"{bundle}.bundle.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return [data["generator"], data["analysis"], data["matte"], *data["fitting"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ModelError(f"There is no usable model bundle {bundle!r}") from error


def _present(registry: Registry) -> list[str]:
    return [
        name
        for name, card in sorted(registry.cards.items())
        if card.source.is_beside_card or registry.cache.is_present(card)
    ]


def _list(registry: Registry, names: list[str], as_json: bool) -> int:
    rows = [_row(registry, registry.card(name)) for name in names]
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        size = f"{row['size'] / 1e6:7.1f} MB" if row["size"] else f"{'':>10}"
        print(f"{row['name']:<16} {row['kind']:<14} {size}  {row['state']}")
        print(f"{'':<16} {row['title']}")
        print(f"{'':<16} {row['source']}; licence {row['licence']}")
        if row["expected"]:
            least = row["expected"].get("megabytes_at_least")
            size = f", at least {least} MB" if least else ""
            print(f"{'':<16} photorig models import {' or '.join(row['files'])}{size}")
    print(f"Fetched models are kept in {registry.cache.folder}")
    return 0


def _row(registry: Registry, card: ModelCard) -> dict[str, Any]:
    problem = registry.problem(card.name)
    return {
        "name": card.name,
        "kind": card.kind,
        "title": card.title,
        "licence": card.licence,
        "notice": card.notice,
        "source": str(card.source),
        "size": card.size,
        "files": [file.name for file in card.files],
        "expected": card.facts.get("expected", {}),
        "state": problem or "ready",
        "folder": str(
            card.path.parent if card.source.is_beside_card else registry.cache.path(card)
        ),
    }


def _fetch(registry: Registry, names: list[str], as_json: bool) -> int:
    folders = {name: str(registry.fetch(name)) for name in names}
    if as_json:
        print(json.dumps(folders, indent=2))
    else:
        for name, folder in folders.items():
            print(f"{name}: {folder}")
    return 0


def _verify(registry: Registry, names: list[str], as_json: bool) -> int:
    problems = {name: registry.problem(name) for name in names}
    broken = {name: problem for name, problem in problems.items() if problem}
    if as_json:
        print(json.dumps({name: problem or "ready" for name, problem in problems.items()}))
    else:
        for name, problem in problems.items():
            print(f"{name}: {problem or 'every checksum is right'}")
    if broken:
        first, problem = next(iter(broken.items()))
        fetchable = [name for name in broken if not registry.card(name).source.is_beside_card]
        raise ModelError(
            f"{len(broken)} of {len(problems)} models cannot be used ({first}: {problem})",
            f"Run 'photorig models fetch {' '.join(fetchable)}'."
            if fetchable
            else "Install Photorig again.",
        )
    return 0


def _seal(registry: Registry, names: list[str]) -> int:
    if not names:
        raise ModelError("No card was named to seal", "Name one, for example 'directions'.")
    for name in names:
        seal(registry.card(name).path)
        print(f"{name}: the card now has the checksum of the weights beside it", file=sys.stderr)
    return 0
