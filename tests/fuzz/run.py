"""Fuzzing for as long as one likes:

    python tests/fuzz/run.py --seconds 3600 --seed 7 [--target portrait]

Whatever breaks a reader, or holds it for more than a second, is kept in corpus/, where the tests
try it from then on.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from fuzz_targets import CORPUS, TARGETS, saved
from mutations import Mutator

from photorig.shared.errors import PhotorigError

LONGEST_SECONDS = 1.0
"""Of processor time that one input may take."""
MOST_ALLOCATED: dict[str, int] = {}
"""Bytes at once for one input, as far as Python counts them, by target."""


@dataclass(frozen=True)
class Finding:
    """An input that a reader does not stand."""

    target: str
    reason: str
    content: bytes = field(repr=False)


def try_one(name: str, content: bytes) -> Finding | None:
    """Read one input; None where that ends as it should."""
    target, reason = TARGETS[name], ""
    before = 0
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
    started = time.thread_time()
    try:
        target.read(content)
    except PhotorigError:
        pass
    except Exception as error:
        reason = f"{type(error).__name__}: {error!s:.100}"
    taken = time.thread_time() - started
    if not reason and taken > LONGEST_SECONDS:
        reason = f"{taken:.1f} seconds"
    if target.most is not None and tracemalloc.is_tracing():
        allocated = tracemalloc.get_traced_memory()[1] - before
        MOST_ALLOCATED[name] = max(MOST_ALLOCATED.get(name, 0), allocated)
        if not reason and allocated > target.most + target.fold * len(content):
            reason = f"{allocated >> 10} KiB allocated for {len(content)} bytes"
    return Finding(name, reason, content) if reason else None


@contextlib.contextmanager
def traced(name: str) -> Iterator[None]:
    """Count what is allocated, where that is bounded; it makes all of it slower."""
    is_bounded = TARGETS[name].most is not None
    if is_bounded:
        TARGETS[name].read(TARGETS[name].seeds()[0])  # what is imported is none of an input's
        tracemalloc.start()
    try:
        yield
    finally:
        if is_bounded:
            tracemalloc.stop()


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
    with traced(name):
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
        most = f", at most {MOST_ALLOCATED[name] >> 10} KiB" if name in MOST_ALLOCATED else ""
        print(f"{name}: {count} inputs{most}", flush=True)
    seen = set()
    for finding in findings:
        if (finding.target, finding.reason) not in seen:  # one of each kind is enough
            seen.add((finding.target, finding.reason))
            keep(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
