"""Slows a page down through the browser's own tools, as its network and performance panels do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..serve.networks import NETWORKS

if TYPE_CHECKING:
    from playwright.sync_api import Page


def throttle(page: Page, network: str | None, cpu: float = 1.0) -> None:
    """`network`: a key of NETWORKS, None: as fast as it is. `cpu`: how many times slower the page's processor is."""
    if network is None and cpu == 1.0:
        return
    session = page.context.new_cdp_session(page)
    if network is not None:
        line = NETWORKS[network]
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": line.latency * 1000,
                "downloadThroughput": line.down / 8,
                "uploadThroughput": line.down / 8,
            },
        )
    if cpu != 1.0:
        session.send("Emulation.setCPUThrottlingRate", {"rate": cpu})
