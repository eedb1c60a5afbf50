"""`pixsearch pack archive, extract, install, list, remove, rollback`: how packs travel and where they are kept."""

from pathlib import Path

import click

from pixsearch.apps.console import PACK, PATH, json_option, print_json, signature_option
from pixsearch.index import installed
from pixsearch.index.archive import extract_archive, write_archive
from pixsearch.index.installed import Installed
from pixsearch.index.signatures import trusted_keys


@click.command()
@click.argument("folder", type=PACK)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write, such as museum.zip.")
def archive(folder: Path, output: Path) -> None:
    """Write a pack as one file for transport."""
    write_archive(folder, output)


@click.command()
@click.argument("file", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="Where the pack goes.")
@signature_option
def extract(file: Path, output: Path, require_signature: bool) -> None:
    """Check and extract a pack that was written as one file."""
    extract_archive(file, output, trusted_keys() if require_signature else None)


@click.command()
@click.argument("source", type=PATH)
@signature_option
@json_option
def install(source: Path, require_signature: bool, as_json: bool) -> None:
    """Install a pack for this user, from its folder or from one file; `--pack NAME` finds it from then on."""
    _show(installed.install(source, trusted_keys() if require_signature else None), as_json)


@click.command("list")
@json_option
def list_packs(as_json: bool) -> None:
    """List the installed packs."""
    packs = installed.installed()
    if as_json:
        print_json([pack.as_json() for pack in packs])
        return
    for pack in packs:
        _show(pack, as_json=False)


@click.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the installed pack NAME."""
    installed.remove(name)


@click.command()
@click.argument("name")
@json_option
def rollback(name: str, as_json: bool) -> None:
    """Go back to the version of the installed pack NAME that was there before."""
    _show(installed.rollback(name), as_json)


def _show(pack: Installed, as_json: bool) -> None:
    if as_json:
        print_json(pack.as_json())
        return
    signed = f"signed by {trusted_keys().get(pack.signer, pack.signer[:12] + '…')}" if pack.signer else "not signed"
    before = f", version {pack.previous} kept" if pack.previous else ""
    click.echo(f"{pack.name}  version {pack.version}, {signed}{before}")
