"""The cloud as commands offer it: options, opening it from settings, and asking it after an answer from here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pixsearch.apps.defaults import cloud_settings_file, outbound_folder
from pixsearch.apps.extras import needs_extra
from pixsearch.contract.faults import Fault
from pixsearch.edge.cloud_settings import Allow, read_settings

if TYPE_CHECKING:
    from pixsearch.edge.cloud import Cloud

Function = TypeVar("Function", bound=Callable[..., Any])


def cloud_options(function: Function) -> Function:
    """`--cloud URL` and `--cloud-model NAME`."""
    function = click.option("--cloud-model", metavar="NAME", help="Its model, as the server calls it.")(function)
    return click.option(
        "--cloud",
        metavar="URL",
        help="What stays unsure here may be asked of this OpenAI-compatible server, such as https://host/v1: "
        "the question and the cut-out thing leave the device.",
    )(function)


def open_cloud(url: str | None, model: str | None, private_packs: tuple[str, ...] = ()) -> "Cloud | None":
    """The server of `--cloud`, which the wearer allows by naming it, or the one of the settings; None without any.

    Raises Fault for settings at fault.
    """
    if model and not url and not cloud_settings_file().exists():
        raise Fault("--cloud-model", expected="--cloud as well", actual="no server", remedy="name the server")
    settings = read_settings(cloud_settings_file(), url or "", model or "")
    if settings is None or (not url and settings.allow is Allow.NEVER and not any(r.allow for r in settings.rules)):
        return None
    cloud = _opened(settings, outbound_folder(), private_packs)
    cloud.allowed_now = True if url else None
    if url and settings.allow is Allow.NEVER:
        cloud.settings = replace(settings, allow=Allow.ASKED)
    return cloud


@needs_extra("cloud")
def _opened(settings: Any, folder: Path, private_packs: tuple[str, ...]) -> "Cloud":
    from pixsearch.edge.cloud import Cloud
    from pixsearch.edge.outbound_log import OutboundLog

    return Cloud(settings, OutboundLog(folder), private_packs)
