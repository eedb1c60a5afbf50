"""`pixsearch doctor --privacy`: what can leave this device, what is allowed now, and what has left."""

from typing import Any

from pixsearch.apps.connections import CONNECTIONS
from pixsearch.apps.defaults import cloud_settings_file, outbound_folder
from pixsearch.contract.faults import Fault
from pixsearch.edge.cloud_settings import Allow, CloudSettings, read_settings
from pixsearch.edge.outbound_log import OutboundLog

ROW = "{:<21}{}"


def privacy() -> dict[str, Any]:
    """Every possible connection, the state of the cloud, and today's bytes. Raises Fault for settings at fault."""
    settings = read_settings(cloud_settings_file())
    spent = OutboundLog(outbound_folder()).spent_today()
    return {
        "connections": [{"name": one.name, "when": one.when, "to": one.to, "what": one.what} for one in CONNECTIONS],
        "cloud": {"state": _state(settings), "settings": str(cloud_settings_file()),
                  "to": f"{settings.host}:{settings.port}" if settings else None},
        "left_today": {"questions": spent.exchanges, "bytes": spent.sent, "log": str(outbound_folder())},
    }


def privacy_lines() -> list[str]:
    """The same in words. Settings at fault are told, and count as off."""
    try:
        told = privacy()
    except Fault as fault:
        return [ROW.format("cloud", f"at fault, and therefore off: {fault}")]
    lines = [ROW.format(one["name"], f"{one['what']}; to {one['to']}; with {one['when']}")
             for one in told["connections"]]
    cloud, left = told["cloud"], told["left_today"]
    lines.append(ROW.format("cloud now", f"{cloud['state']} ({cloud['settings']})"))
    lines.append(ROW.format("left today", f"{left['questions']} questions, {left['bytes']} bytes ({left['log']})"))
    lines.append(ROW.format("anything else", "nothing: no telemetry, no updates, no downloads"))
    return lines


def _state(settings: CloudSettings | None) -> str:
    if settings is None:
        return "off"
    if settings.allow is Allow.NEVER:
        return "off" if not any(rule.allow for rule in settings.rules) else "only by rule"
    return "asked where the wearer says so" if settings.allow is Allow.ASKED else "asked whenever an answer is unsure"
