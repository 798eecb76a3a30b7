"""A layout that notes what a panel draws; without a window Blender never calls ``draw``."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class Drawn:
    """One thing that was drawn.

    Attributes:
        kind: "prop", "label", "operator", "progress" or another method of a layout.
        name: the property, the label's text or the operator's id.
        alert, active, enabled: of the layout it stands in.
        options: what else was given.
        operator: the operator's properties, where it is one.
    """

    kind: str
    name: str
    alert: bool
    active: bool
    enabled: bool
    options: dict[str, Any]
    operator: SimpleNamespace = field(default_factory=SimpleNamespace)


class FakeLayout:
    """Has the methods of a UILayout that Photorig's panels use.

    Attributes:
        drawn: everything in the order in which it was drawn, in this layout and those within.
    """

    def __init__(self, parent: FakeLayout | None = None) -> None:
        self.drawn: list[Drawn] = [] if parent is None else parent.drawn
        self.alert = False if parent is None else parent.alert
        self.active = True if parent is None else parent.active
        self.enabled = True if parent is None else parent.enabled
        self.ui_units_x, self.alignment = 0.0, "EXPAND"
        self.use_property_split = self.use_property_decorate = False

    def _inside(self, *_arguments: Any, **_options: Any) -> FakeLayout:
        return FakeLayout(self)

    @property
    def operator_context(self) -> str:
        return "INVOKE_DEFAULT"

    @operator_context.setter
    def operator_context(self, context: str) -> None:
        """Blender keeps it for the whole panel: every button drawn after it would be run by it."""
        raise AssertionError(f"{context} outlives the button it is for")

    row = column = box = split = grid_flow = _inside

    def panel(self, name: str, default_closed: bool = False) -> tuple[FakeLayout, FakeLayout]:
        """A panel in a layout; it is always open here."""
        return FakeLayout(self), FakeLayout(self)

    def _note(self, kind: str, name: str, options: dict[str, Any]) -> Drawn:
        drawn = Drawn(kind, name, self.alert, self.active, self.enabled, options)
        self.drawn.append(drawn)
        return drawn

    def prop(self, owner: Any, name: str, **options: Any) -> None:
        is_there = name[2:-2] in owner if name.startswith('["') else name in owner.bl_rna.properties
        assert is_there, f"{owner} has no property {name!r}"
        self._note("prop", name, options)

    def prop_decorator(self, owner: Any, name: str, **options: Any) -> None:
        is_there = name[2:-2] in owner if name.startswith('["') else name in owner.bl_rna.properties
        assert is_there, f"{owner} has no property {name!r}"
        self._note("prop_decorator", name, options)

    def prop_search(self, owner: Any, name: str, *data: Any, **options: Any) -> None:
        assert name in owner.bl_rna.properties, f"{owner} has no property {name!r}"
        self._note("prop_search", name, options)

    def label(self, text: str = "", **options: Any) -> None:
        self._note("label", text, options)

    def operator(self, name: str, **options: Any) -> SimpleNamespace:
        return self._note("operator", name, options).operator

    def separator(self, **options: Any) -> None:
        self._note("separator", "", options)

    def menu(self, name: str, **options: Any) -> None:
        self._note("menu", name, options)

    def template_icon(self, icon: int, **options: Any) -> None:
        self._note("template_icon", str(icon), options)

    def progress(self, **options: Any) -> None:
        self._note("progress", options.get("text", ""), options)

    def template_list(self, list_type: str, identifier: str, *data: Any, **options: Any) -> None:
        self._note("template_list", list_type, options)

    def find(self, kind: str, name: str) -> Drawn:
        """What was drawn of that kind and name; AssertionError where nothing was."""
        found = [drawn for drawn in self.drawn if (drawn.kind, drawn.name) == (kind, name)]
        assert found, f"no {kind} {name!r} among {[(d.kind, d.name) for d in self.drawn]}"
        return found[0]

    def has(self, kind: str, name: str) -> bool:
        return any((drawn.kind, drawn.name) == (kind, name) for drawn in self.drawn)

    @property
    def texts(self) -> list[str]:
        """All labels."""
        return [drawn.name for drawn in self.drawn if drawn.kind == "label"]
