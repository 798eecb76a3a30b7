"""Tables of docs/scale.md between its marks, and the picture beside the numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
_TABLE = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def fill_page(told: dict[str, Any], path: Path) -> None:
    """Write the tables anew; what stands around them stays."""
    tables = {
        "fed": _fed(told["fed"]),
        "efficiency": _efficiency(told["efficiency"]),
        "short": _short(told["short_jobs"]),
        "gateways": _gateways(told["gateways"]),
        "preview": _preview(told["preview"]),
        "cost": _cost(told["cost"]),
    }
    text = path.read_text(encoding="utf-8")

    def filled(found: re.Match[str]) -> str:
        return f"<!-- table: {found[1]} -->\n{tables[found[1]]}\n<!-- end -->"

    path.write_text(_TABLE.sub(filled, text), encoding="utf-8")


def _lines(head: list[str], rows: list[list[str]]) -> str:
    told = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([told[0], "|" + "---|" * len(head), *told[1:]])


def _fed(fed: dict[str, Any]) -> str:
    n_bytes, link = fed["frame_bytes"] / 1e6, fed["link_bytes_a_second"] * 8 / 1e9
    measured = [
        [f"a frame of {fed['size']}² with its PNG, on one core", f"{fed['core_seconds']:.3f} s"],
        ["its file", f"{n_bytes:.2f} MB"],
        ["loading the models", f"{fed['load_seconds']:.1f} s"],
        ["a portrait's file", f"{fed['portrait_bytes'] / 1e6:.1f} MB"],
        [
            "a gateway passes on, a core of it or its network",
            f"{fed['gateway_frames_a_second']:.0f} frames/s",
        ],
    ]
    assumed = [
        ["a device is so many times as fast as that core", f"{fed['speedup']:g}"],
        ["so a frame takes / a preview of 256²", _two_times(fed)],
        ["network of a gateway", f"{link:g} Gbit/s"],
        ["a gateway's time that renders may take", f"{fed['gateway_share']:.0%}"],
        ["devices that share a node, and one upload", f"{fed['devices_a_node']}"],
        ["work that a device is given at once", f"{fed['chunk_seconds']} s"],
        [
            "chunks that take so many times as long",
            f"{fed['straggling']:.0%}, {fed['straggler_factor']:g}×",
        ],
        [
            "a failure is noticed after / the device is back after",
            f"{fed['notice_seconds']:g} s / {fed['restart_seconds']:g} s",
        ],
    ]
    both = [["**measured**", ""], *measured, ["**assumed**", ""], *assumed]
    return _lines(["", ""], both)


def _two_times(fed: dict[str, Any]) -> str:
    frame, preview = 1000 * fed["frame_seconds"], 1000 * fed["preview_seconds"]
    return f"{frame:.1f} ms / {preview:.1f} ms"


def _efficiency(rows: Rows) -> str:
    sizes = sorted({row["devices"] for row in rows})
    shares = sorted({row["failing"] for row in rows})
    head = ["devices", "gateways", *(f"{share:.0%} failing" for share in shares)]
    head += ["worst run, 1 %", "first frame, s"]
    body = []
    for size in sizes:
        mine = {row["failing"]: row for row in rows if row["devices"] == size}
        cells = [f"{size:,}", f"{mine[0.0]['gateways']}"]
        cells += [f"{mine[share]['efficiency']:.3f}" for share in shares]
        worst = mine[0.01]["worst_efficiency"]
        body.append([*cells, f"{worst:.3f}", f"{mine[0.0]['first_frame_seconds']:.2f}"])
    return _lines(head, body)


def _short(rows: Rows) -> str:
    body = []
    for work in sorted({row["work_seconds"] for row in rows}):
        cold, warm = (
            next(row for row in rows if row["work_seconds"] == work and row["warm"] == state)
            for state in (0.0, 1.0)
        )
        minutes = cold["frames"] / 24 / 60
        told = [f"{work:g} s", f"{cold['frames']:,.0f}", f"{minutes:.1f}"]
        told += [f"{run['efficiency']:.2f}" for run in (cold, warm)]
        body.append([*told, *(f"{run['first_frame_seconds']:.2f}" for run in (cold, warm))])
    head = ["work a device", "frames", "minutes of film", "efficiency, cold", "models loaded"]
    return _lines([*head, "first frame, cold, s", "models loaded, s"], body)


def _gateways(rows: Rows) -> str:
    body = []
    for devices in sorted({row["devices"] for row in rows}):
        one, many = [row for row in rows if row["devices"] == devices][:2]
        body.append(
            [
                f"{devices}",
                f"{one['frames_a_second']:.0f}",
                f"{one['gateway_busy']:.0%}",
                f"{one['efficiency']:.2f}",
                f"{many['gateways']}",
                f"{many['frames_a_second']:.0f}",
                f"{many['efficiency']:.2f}",
            ]
        )
    head = ["devices", "frames/s by one", "busy", "efficiency"]
    return _lines([*head, "gateways needed", "frames/s", "efficiency"], body)


def _preview(rows: Rows) -> str:
    body = [
        [
            f"{row['devices']}",
            f"{row['views']}",
            f"{1000 * row['median_seconds']:.0f}",
            f"{1000 * row['p95_seconds']:.0f}",
            f"{row['pictures_a_second']:.1f}",
            f"{row['busy']:.0%}",
        ]
        for row in rows
    ]
    head = ["reserved devices", "animators scrubbing", "median, ms", "95 %, ms"]
    return _lines([*head, "pictures/s each", "busy"], body)


def _cost(rows: Rows) -> str:
    body = [
        [
            "one workstation" if not row["rented"] else f"{row['rented']:,} rented",
            _duration(row["seconds"]),
            f"{row['efficiency']:.2f}",
            f"{row['cost']:.2f}",
            f"{row['cost_a_minute']:.4f}",
        ]
        for row in rows
    ]
    return _lines(["", "90 minutes take", "efficiency", "cost", "a minute of film"], body)


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


def draw(told: dict[str, Any], path: Path) -> None:
    """Efficiency by size, one gateway's saturation, and what animators wait for."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for share in sorted({row["failing"] for row in told["efficiency"]}):
        rows = [row for row in told["efficiency"] if row["failing"] == share]
        axes[0].semilogx(
            [row["devices"] for row in rows],
            [row["efficiency"] for row in rows],
            "o-",
            label=f"{share:.0%} failing",
        )
    axes[0].axhline(told["bar"]["goal"], color="grey", ls=":")
    axes[0].set(xlabel="devices", ylabel="efficiency", ylim=(0.8, 1.0), title="10 minutes of work")
    axes[0].legend()
    one = told["gateways"][::2]
    many = told["gateways"][1::2]
    for rows, label in ((one, "one gateway"), (many, "as many as needed")):
        axes[1].plot(
            [row["devices"] for row in rows],
            [row["frames_a_second"] for row in rows],
            "o-",
            label=label,
        )
    axes[1].set(xlabel="devices", ylabel="frames a second", title="where a gateway saturates")
    axes[1].legend()
    for devices in sorted({row["devices"] for row in told["preview"]}):
        rows = [row for row in told["preview"] if row["devices"] == devices]
        axes[2].plot(
            [row["views"] for row in rows],
            [row["pictures_a_second"] for row in rows],
            "o-",
            label=f"{devices} reserved",
        )
    axes[2].set(xlabel="animators scrubbing", ylabel="pictures a second each", title="preview")
    axes[2].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
