"""`pixsearch doctor`: whether this machine and installation are fit."""

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import onnxruntime

from pixsearch import __version__
from pixsearch.apps.console import json_option, print_json
from pixsearch.apps.defaults import EVERYDAY_PACK
from pixsearch.apps.floors import machine
from pixsearch.apps.privacy import privacy, privacy_lines
from pixsearch.contract.faults import Fault
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.index.pack import Pack

ROW = "{:<12}{}"
PACKAGES = ("numpy", "onnxruntime", "opencv-python-headless", "hnswlib", "tokenizers", "pillow")


@click.command()
@click.option("--privacy", "of_privacy", is_flag=True, help="List every possible connection and what has left.")
@json_option
@click.pass_context
def doctor(context: click.Context, of_privacy: bool, as_json: bool) -> None:
    """Check machine, packages, bundle and pack; exit status 1 when something is at fault."""
    if as_json and not of_privacy:
        raise click.UsageError("--json goes with --privacy")
    if of_privacy:
        print_json(privacy()) if as_json else click.echo("\n".join(privacy_lines()))
        return
    click.echo(ROW.format("pixsearch", f"{__version__}, Python {platform.python_version()}"))
    click.echo(ROW.format("machine", machine()))
    click.echo(
        ROW.format("packages", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES))
    )
    well = [
        _check(what, check)
        for what, check in (
            ("providers", _providers),
            ("video", _video),
            ("bundle", _bundle),
            ("pack", _pack),
            ("training", _training),
        )
    ]
    context.exit(0 if all(well) else 1)


def _check(what: str, check: Callable[[], str]) -> bool:
    try:
        click.echo(ROW.format(what, check()))
    except Fault as fault:
        click.echo(ROW.format(what, f"at fault: {fault}"))
        return False
    return True


def _providers() -> str:
    """What the runtime lists; both onnxruntime packages in one environment overwrite each other's files."""
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) > 1:
        raise Fault(
            "onnxruntime",
            expected="one of onnxruntime and onnxruntime-gpu",
            actual="both",
            remedy="uninstall both, then install one of them again",
        )
    return ", ".join(onnxruntime.get_available_providers())


def _video() -> str:
    registry = cv2.videoio_registry
    names = dict.fromkeys(registry.getBackendName(backend) for backend in registry.getBackends())
    return f"OpenCV {cv2.__version__} with {', '.join(names)}"


def _bundle() -> str:
    bundle = Bundle.load(default_bundle())
    sessions = bundle.open_all()
    providers = sorted({session.providers[0] for session in sessions.values()})
    return f"{bundle.name} in {bundle.folder}, runs on {', '.join(providers)}"


def _pack() -> str:
    with Pack.open(Path(EVERYDAY_PACK), Bundle.load(default_bundle()).embedder_id) as pack:
        return f"{pack.name}, {pack.manifest['counts']}"


def _training() -> str:
    missing = [name for name in ("torch", "onnx") if importlib.util.find_spec(name) is None]
    return f"not installed ({', '.join(missing)}); answering needs neither" if missing else "installed"


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
