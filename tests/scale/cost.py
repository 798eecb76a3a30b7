"""What a minute of finished film costs, and how long a film takes: one workstation, or a pool."""

from __future__ import annotations

from dataclasses import dataclass, replace

from farm_model import Farm, simulate
from fed import Fed

FRAMES_A_MINUTE = 24 * 60
_HOUR = 3600.0
_HOURS_A_YEAR = 24 * 365


@dataclass(frozen=True)
class Prices:
    """All are assumptions, in one currency.

    Attributes:
        gpu_hour: of a rented device, its share of node, network and storage included.
        workstation: price of one with such a device.
        workstation_years: it is written off over.
        use: share of all hours in which it works.
        watts: it draws while it works.
        kwh: price of a kilowatt-hour.
    """

    gpu_hour: float
    workstation: float
    workstation_years: float
    use: float
    watts: float
    kwh: float

    @property
    def workstation_hour(self) -> float:
        """Of work."""
        hours = self.workstation_years * _HOURS_A_YEAR * self.use
        return self.workstation / hours + self.watts / 1000 * self.kwh


def cost_rows(fed: Fed, prices: Prices, minutes: float) -> list[dict[str, float]]:
    """A film of so many minutes on one workstation (0 devices rented) and on pools."""
    frames = round(minutes * FRAMES_A_MINUTE)
    alone = fed.load_seconds + frames * fed.frame_seconds
    rows = [
        {
            "rented": 0,
            "seconds": alone,
            "cost": alone / _HOUR * prices.workstation_hour,
            "efficiency": frames * fed.frame_seconds / alone,
        }
    ]
    for devices in (1, 10, 100, 1_000):
        run = simulate(_pool(fed, devices, frames))
        # What is rented is paid until the last frame.
        cost = devices * run.seconds / _HOUR * prices.gpu_hour
        rows.append(
            {
                "rented": devices,
                "seconds": run.seconds,
                "cost": cost,
                "efficiency": run.efficiency,
            }
        )
    return [{**row, "cost_a_minute": row["cost"] / minutes} for row in rows]


def _pool(fed: Fed, devices: int, frames: int) -> Farm:
    farm = Farm(devices, frames, fed.frame_seconds, fed.chunk_seconds, fed.load_seconds)
    return replace(
        farm,
        portrait_bytes=fed.portrait_bytes,
        link_bytes_a_second=fed.link_bytes_a_second,
        devices_a_node=fed.devices_a_node,
        gateway_seconds=fed.gateway_seconds,
        gateways=max(1, -(-devices // fed.devices_a_gateway)),
        straggling=fed.straggling,
        straggler_factor=fed.straggler_factor,
        failing=0.01,
        notice_seconds=fed.notice_seconds,
        restart_seconds=fed.restart_seconds,
    )
