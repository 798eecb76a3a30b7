"""``photorig methods``: the ways in which a face can be driven, a sentence each."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("methods", help="list the ways in which faces are driven")
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run(args: argparse.Namespace) -> int:
    from photorig.worker.reenactment.methods import methods

    offers = [entry.offer for entry in methods().values()]
    if args.json:
        print(json.dumps([asdict(offer) for offer in offers]))
        return 0
    width = max(len(offer.name) for offer in offers)
    for offer in offers:
        print(f"{offer.name:<{width}}  {offer.sentence}")
    return 0
