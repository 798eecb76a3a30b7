"""Fuzzing for as long as one likes:

    python tests/fuzz/run.py --seconds 3600 --seed 7 [--target portrait]

Whatever breaks a reader, or holds it for more than a second, is kept in corpus/, where the tests
try it from then on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from fuzz_targets import CORPUS, TARGETS, saved
from mutations import Mutator

from photorig.shared.errors import PhotorigError

LONGEST_SECONDS = 1.0
"""Of processor time that one input may take."""


@dataclass(frozen=True)
class Finding:
    """An input that a reader does not stand."""

    target: str
    reason: str
    content: bytes = field(repr=False)


def try_one(name: str, content: bytes) -> Finding | None:
    """Read one input; None where that ends as it should."""
    started, reason = time.thread_time(), ""
    try:
        TARGETS[name].read(content)
    except PhotorigError:
        pass
    except Exception as error:
        reason = f"{type(error).__name__}: {error!s:.100}"
    taken = time.thread_time() - started
    if not reason and taken > LONGEST_SECONDS:
        reason = f"{taken:.1f} seconds"
    return Finding(name, reason, content) if reason else None


def fuzz(
    name: str,
    seed: int,
    seconds: float,
    inputs: int,
    on_finding: Callable[[Finding], None],
) -> int:
    """Try damaged inputs on one reader until time or number is reached; returns how many."""
    corpus = "portrait" if name == "portrait_in_extension" else name
    mutator = Mutator(TARGETS[name].seeds() + saved(corpus), seed)
    deadline, count = time.monotonic() + seconds, 0
    while count < inputs and time.monotonic() < deadline:
        found = try_one(name, mutator.next())
        count += 1
        if found is not None:
            on_finding(found)
    return count


def keep(finding: Finding) -> None:
    """Into the corpus, small."""
    name = hashlib.sha256(finding.content).hexdigest()[:16]
    folder = CORPUS / finding.target
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.gz").write_bytes(gzip.compress(finding.content, 9, mtime=0))
    print(f"{finding.target}: {finding.reason} -> {name}.gz", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="for all together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: all")
    args = parser.parse_args()
    names, findings = args.target or list(TARGETS), []
    for name in names:
        count = fuzz(name, args.seed, args.seconds / len(names), sys.maxsize, findings.append)
        print(f"{name}: {count} inputs", flush=True)
    seen = set()
    for finding in findings:
        if (finding.target, finding.reason) not in seen:  # one of each kind is enough
            seen.add((finding.target, finding.reason))
            keep(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
