"""`pixsearch memory`: look at, forget, take out and lock what the wearer asked to remember."""

import os
from pathlib import Path

import click

from pixsearch.apps.companion import PASSPHRASE, open_memory
from pixsearch.apps.console import PATH, bundle_option, json_option, print_json
from pixsearch.apps.defaults import memory_folder
from pixsearch.apps.export_memory import export_memory
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.report import one_line
from pixsearch.contract.faults import Fault
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.memories import SAID, is_sighting, spoken_time
from pixsearch.index.memory import MemoryPack

folder_option = click.option("--memory", "folder", type=PATH, metavar="FOLDER",
                             help="The memory; the one in the data folder unless given.")


@click.group()
def memory() -> None:
    """Look at, forget, take out and lock what you asked to remember."""


@memory.command("list")
@folder_option
@bundle_option
@json_option
def list_(folder: Path | None, bundle: Path | None, as_json: bool) -> None:
    """Show everything remembered, what was seen last first, and how much room is left."""
    with _opened(folder, bundle) as pack:
        items = pack.items()
    size = sum(path.stat().st_size for path in pack.folder.iterdir() if path.is_file())
    if as_json:
        print_json({"items": [{"id": item.id, "entity": item.entity, "words": item.facts.get(SAID, ""),
                               "time": item.time.isoformat(timespec="seconds"), "seen_again": is_sighting(item)}
                              for item in items],
                    "bytes": size, "limits": {"items": pack.limits.items, "bytes": pack.limits.bytes}})
        return
    for item in items:
        told = "seen again" if is_sighting(item) else f'"{item.facts[SAID]}"' if SAID in item.facts else ""
        click.echo(one_line(f"{item.id:<6}{spoken_time(item.time):<44}{item.entity:<30} {told}").rstrip())
    click.echo(f"{len(items)} of {pack.limits.items} things, {size / 2**20:.1f} of {pack.limits.bytes / 2**20:.0f} MB")


@memory.command()
@click.argument("number", metavar="ID", type=int)
@folder_option
@bundle_option
def forget(number: int, folder: Path | None, bundle: Path | None) -> None:
    """Forget one thing: its words, vectors and picture are overwritten."""
    with _opened(folder, bundle) as pack:
        try:
            entity = pack.item(number).entity
            pack.remove(number)
        except KeyError as error:
            raise Fault(f"memory {pack.folder}", expected="an id of its list", actual=str(number),
                        remedy="see `pixsearch memory list`") from error
    click.echo(one_line(f"forgotten: {entity}"))


@memory.command()
@click.option("-o", "--output", required=True, type=PATH, help="A folder to make, which `pack build` takes.")
@folder_option
@bundle_option
def export(output: Path, folder: Path | None, bundle: Path | None) -> None:
    """Write everything remembered, not encrypted, as a folder of rows and pictures."""
    with _opened(folder, bundle) as pack:
        count = export_memory(pack, output)
    click.echo(f"{output}: {count} things")


@memory.command()
@folder_option
def encrypt(folder: Path | None) -> None:
    """Lock the memory with a passphrase, asked for or taken from PIXSEARCH_PASSPHRASE.

    It is stored nowhere: who forgets it loses the memory.
    """
    place = folder or memory_folder()
    passphrase = os.environ.get(PASSPHRASE)
    if passphrase is None:
        passphrase = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    _encrypt(place, passphrase)
    click.echo(f"{place}: encrypted")


@needs_extra("encryption")
def _encrypt(folder: Path, passphrase: str) -> None:
    from pixsearch.index.memory_cipher import encrypt

    encrypt(folder, passphrase)


def _opened(folder: Path | None, bundle: Path | None) -> MemoryPack:
    """A memory that is there. Raises Fault."""
    place = folder or memory_folder()
    if not place.is_dir():
        raise Fault(f"memory {place}", expected="a memory", actual="none there",
                    remedy='ask "remember this, it is …" first')
    return open_memory(place, Bundle.load(bundle or default_bundle()))
