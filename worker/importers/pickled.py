"""Pickles read as data: instructions are followed, but nothing that one names is run.

Python's own reader calls whatever a file tells it to. This one writes down what would have been
called, with which arguments, as an inert record (`Made`); those who know a layout look at the
records. So there is no list of allowed names to get wrong: a name is a text.

The instructions are those of the protocols 2 to 5 (Lib/pickletools.py of Python).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from photorig.shared.errors import ModelError

LONG = 1 << 16
"""Bytes from which on a text or a string of bytes is left where it is, as a memoryview."""

MOST_INSTRUCTIONS = 500_000
"""What a network of a thousand tensors needs ten times over; so objects cannot outgrow the file."""

Key = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function of Python, by name only."""

    module: str
    name: str

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """What unpickling would have made: ``maker(*args)``, then given a state and contents.

    Attributes:
        maker: usually a `Name`.
        items: what it was given as a list or a set, entries: as a dictionary.
    """

    maker: object
    args: object
    state: object = None
    items: list[object] = field(default_factory=list)
    entries: dict[Key, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Full name of the maker, "" where it has none."""
        return self.maker.full if isinstance(self.maker, Name) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Something that the file keeps elsewhere; torch keeps numbers so."""

    value: object


def read_pickle(data: memoryview, start: int = 0) -> tuple[object, int]:
    """The object of a pickle, and where the pickle ends.

    Dictionaries keep entries whose keys are texts, numbers or bytes; a tensor or a tuple as a key
    is no part of any layout that is read here.

    Raises:
        ModelError: it is no pickle, is damaged, or is of a kind that is not read.
    """
    machine = _Machine(data, start)
    try:
        return machine.run(), machine.at
    except (LookupError, TypeError, ValueError, struct.error) as error:
        raise ModelError("it is a damaged pickle") from error


class _Stop(Exception):
    pass


class _Machine:
    """The stack machine that a pickle is a program of."""

    def __init__(self, data: memoryview, start: int) -> None:
        self.data, self.at = data, start
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        for _ in range(MOST_INSTRUCTIONS):
            code = self.take(1)[0]
            follow = _INSTRUCTIONS.get(code)
            if follow is None:
                raise ModelError(f"it is a pickle with an instruction {code:#04x} that is not read")
            try:
                follow(self)
            except _Stop:
                return self.stack.pop()
        raise ModelError("it is a pickle of more objects than any network has")

    def take(self, count: int) -> memoryview:
        """The next bytes. Raises ValueError where there are not so many."""
        if count < 0 or count > len(self.data) - self.at:
            raise ValueError("the end is missing")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def line(self) -> str:
        """Up to the next line break, which is not far."""
        part = bytes(self.data[self.at : self.at + 1024])
        length = part.index(b"\n")
        self.at += length + 1
        return part[:length].decode("utf-8")

    def marked(self) -> list[object]:
        """What was put on the stack since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def pop_text(self) -> str:
        text = self.stack.pop()
        if not isinstance(text, str):
            raise TypeError("a name is no text")
        return text


def _push(make: Callable[[_Machine], object]) -> Callable[[_Machine], None]:
    def follow(machine: _Machine) -> None:
        value = make(machine)  # may give the machine another stack
        machine.stack.append(value)

    return follow


def _text(form: str) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> object:
        content = machine.take(machine.number(form))
        return content if len(content) > LONG else bytes(content).decode("utf-8", "surrogatepass")

    return _push(make)


def _bytes(form: str) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> object:
        content = machine.take(machine.number(form))
        return content if len(content) > LONG else bytes(content)

    return _push(make)


def _python2_text(form: str) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> object:
        content = machine.take(machine.number(form))
        return content if len(content) > LONG else bytes(content).decode("latin-1")

    return _push(make)


def _long(form: str) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> object:
        length = machine.number(form)
        if length > 64:
            raise ValueError("a number is too long")
        return int.from_bytes(machine.take(length), "little", signed=True)

    return _push(make)


def _tuple(count: int) -> Callable[[_Machine], None]:
    def follow(machine: _Machine) -> None:
        if len(machine.stack) < count:
            raise ValueError("the stack is too short")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return follow


def _put(form: str) -> Callable[[_Machine], None]:
    def follow(machine: _Machine) -> None:
        machine.memo[machine.number(form)] = machine.stack[-1]

    return follow


def _memoize(machine: _Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _mark(machine: _Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _append(machine: _Machine) -> None:
    _extend(machine.stack[-2], [machine.stack.pop()])


def _appends(machine: _Machine) -> None:
    items = machine.marked()
    _extend(machine.stack[-1], items)


def _extend(target: object, items: list[object]) -> None:
    if isinstance(target, Made):
        target.items.extend(items)
    elif isinstance(target, list):
        target.extend(items)
    else:
        raise TypeError("only a list takes items")


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _update(machine.stack[-1], [key, value])


def _set_items(machine: _Machine) -> None:
    items = machine.marked()
    _update(machine.stack[-1], items)


def _update(target: object, items: list[object]) -> None:
    entries = target.entries if isinstance(target, Made) else target
    if not isinstance(entries, dict) or len(items) % 2:
        raise TypeError("only a dictionary takes entries")
    keys: Iterable[object] = items[::2]
    for key, value in zip(keys, items[1::2], strict=True):
        if key is None or isinstance(key, str | int | float | bytes):
            entries[key] = value


def _dictionary(machine: _Machine) -> object:
    entries: dict[Key, object] = {}
    _update(entries, machine.marked())
    return entries


def _stack_global(machine: _Machine) -> object:
    name, module = machine.pop_text(), machine.pop_text()
    return Name(module, name)


def _call(machine: _Machine) -> object:
    args, maker = machine.stack.pop(), machine.stack.pop()
    return Made(maker, args)


def _call_with_names(machine: _Machine) -> object:
    names, args, maker = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    return Made(maker, (args, names))


def _build(machine: _Machine) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if not isinstance(target, Made):
        raise TypeError("only an object takes a state")
    target.state = state


def _old_object(machine: _Machine) -> object:
    maker, *args = machine.marked()
    return Made(maker, tuple(args))


def _stop(machine: _Machine) -> None:
    raise _Stop


_INSTRUCTIONS: dict[int, Callable[[_Machine], object]] = {
    ord("."): _stop,
    0x80: lambda m: m.take(1),  # protocol
    0x95: lambda m: m.take(8),  # frame
    ord("N"): _push(lambda m: None),
    0x88: _push(lambda m: True),
    0x89: _push(lambda m: False),
    ord("J"): _push(lambda m: m.number("<i")),
    ord("K"): _push(lambda m: m.number("<B")),
    ord("M"): _push(lambda m: m.number("<H")),
    ord("G"): _push(lambda m: m.number(">d")),
    0x8A: _long("<B"),
    0x8B: _long("<i"),
    ord("X"): _text("<I"),
    0x8C: _text("<B"),
    0x8D: _text("<Q"),
    ord("B"): _bytes("<I"),
    ord("C"): _bytes("<B"),
    0x8E: _bytes("<Q"),
    0x96: _bytes("<Q"),
    ord("T"): _python2_text("<i"),
    ord("U"): _python2_text("<B"),
    ord("("): _mark,
    ord("0"): lambda m: m.stack.pop(),
    ord("1"): lambda m: m.marked(),
    ord("2"): _push(lambda m: m.stack[-1]),
    ord("q"): _put("<B"),
    ord("r"): _put("<I"),
    0x94: _memoize,
    ord("h"): _push(lambda m: m.memo[m.number("<B")]),
    ord("j"): _push(lambda m: m.memo[m.number("<I")]),
    ord(")"): _push(lambda m: ()),
    ord("]"): _push(lambda m: []),
    ord("}"): _push(lambda m: {}),
    0x8F: _push(lambda m: Made(Name("builtins", "set"), ())),
    ord("t"): _push(lambda m: tuple(m.marked())),
    ord("l"): _push(lambda m: m.marked()),
    ord("d"): _push(_dictionary),
    0x91: _push(lambda m: Made(Name("builtins", "frozenset"), tuple(m.marked()))),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("a"): _append,
    ord("e"): _appends,
    0x90: _appends,
    ord("s"): _set_item,
    ord("u"): _set_items,
    ord("c"): _push(lambda m: Name(m.line(), m.line())),
    0x93: _push(_stack_global),
    ord("R"): _push(_call),
    0x81: _push(_call),
    0x92: _push(_call_with_names),
    ord("o"): _push(_old_object),
    ord("b"): _build,
    ord("Q"): _push(lambda m: Reference(m.stack.pop())),
}
"""By the byte that stands for it."""


def entries(value: object) -> dict[Key, object]:
    """What a dictionary holds, or an object that was filled like one; empty for anything else."""
    if isinstance(value, Made):
        pairs = value.args[0] if isinstance(value.args, tuple) and value.args else ()
        first: dict[Key, object] = {}
        if isinstance(pairs, list):  # an OrderedDict of Python 2
            flat = [part for pair in pairs if isinstance(pair, list | tuple) for part in pair]
            if len(flat) == 2 * len(pairs):
                _update(first, flat)
        return {**first, **value.entries}
    return value if isinstance(value, dict) else {}
