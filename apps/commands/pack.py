"""`pixsearch pack`: build, look at, check and search knowledge packs."""

from pathlib import Path

import click

from pixsearch.apps.commands.pack_import import import_group
from pixsearch.apps.commands.pack_keys import keys, sign
from pixsearch.apps.commands.packs_installed import archive, extract, install, list_packs, remove, rollback
from pixsearch.apps.commands.packs_updated import apply, compact, delta
from pixsearch.apps.console import (
    PACK,
    PATH,
    OneLine,
    bundle_option,
    check_output,
    json_option,
    print_json,
    signature_option,
)
from pixsearch.apps.pack_report import report_of, report_while_building
from pixsearch.apps.ray_embedding import embed_with_ray
from pixsearch.apps.report import one_line
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_atomic
from pixsearch.contract.images import read_image
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.inputs import check_question
from pixsearch.edge.salient import SalientCutter
from pixsearch.index import pack as packs
from pixsearch.index.build import build_pack, work_folder
from pixsearch.index.hits import Hit
from pixsearch.index.pack import Pack
from pixsearch.index.signatures import trusted_keys

MAX_HITS = 100


@click.group()
def pack() -> None:
    """Build, look at, check and search knowledge packs."""


TRAVEL = (archive, extract, install, list_packs, remove, rollback)
for command in (import_group, keys, sign, *TRAVEL, delta, apply, compact):
    pack.add_command(command)


@pack.command()
@click.argument("folder", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="Where the pack goes, such as museum.pxpack.")
@click.option("--name", help="Its name; the output's unless given.")
@click.option("--licence", default="unspecified", show_default=True, help="Licence of pictures and facts.")
@click.option(
    "--version", "number", type=click.IntRange(min=1), default=1, show_default=True, help="Version counter."
)
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out instead of stopping at the first.")
@click.option("--work", type=PATH, help="Folder that keeps what was embedded; OUTPUT.work unless given.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="What embeds pictures: this process, or Ray on all cores of one machine or many.")
@click.option("--address", help="Ray cluster, such as ray://HOST:10001; this machine's cores unless given.")
@bundle_option
@json_option
def build(
    folder: Path,
    output: Path,
    name: str | None,
    licence: str,
    number: int,
    skip_bad: bool,
    work: Path | None,
    engine: str,
    address: str | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Build a pack from FOLDER: entities.jsonl or entities.csv, and the pictures that it names.

    Each picture is a cut-out with transparency, a photograph with a mask or a box, or a plain photograph, of which
    the model cuts out what stands out. The pack's report.html shows what to look at before it goes out. What was
    embedded is kept in a folder beside the output, so that an interrupted build goes on where it stopped, and the next
    one is quick; remove it when you are done.
    """
    if address and engine != "ray":
        raise click.UsageError("--address is for --engine ray")
    model = Bundle.load(bundle or default_bundle())
    kept = work or work_folder(output)
    try:
        if engine == "ray":
            embed_with_ray(folder.absolute(), kept, model.folder.absolute(), address)
        manifest = build_pack(
            folder, output, BundleEmbedder(model), name or output.stem, licence, skip_bad=skip_bad, version=number,
            cutter=SalientCutter(model), work=kept, report=report_while_building,
        )
    except KeyboardInterrupt as interrupt:
        raise OneLine(f"interrupted; {kept} keeps what was embedded: the same command goes on there") from interrupt
    if as_json:
        print_json(manifest)
    else:
        click.echo(f"{output}: " + ", ".join(f"{count} {what}" for what, count in manifest["counts"].items()))


@pack.command()
@click.argument("folder", type=PACK)
@click.option("-o", "--output", type=PATH, help="The page to write; PACK.report.html beside the pack unless given.")
def report(folder: Path, output: Path | None) -> None:
    """Write the report page of a pack anew: contact sheet, entities that look alike, facts to look at again."""
    page = output or folder.with_name(folder.stem + ".report.html")
    check_output(page, ".html")
    write_atomic(page, report_of(folder).encode())
    click.echo(page)


@pack.command()
@click.argument("folder", type=PACK)
@json_option
def info(folder: Path, as_json: bool) -> None:
    """Show what a pack says about itself."""
    manifest = packs.info(folder)
    if as_json:
        print_json(manifest)
        return
    for key, value in manifest.items():
        if key != "files":
            click.echo(one_line(f"{key:<12} {value}"))


@pack.command()
@click.argument("folder", type=PACK)
@signature_option
def verify(folder: Path, require_signature: bool) -> None:
    """Check every file of a pack; prints nothing when all is well."""
    packs.verify(folder, trusted_keys() if require_signature else None)


@pack.command()
@click.argument("folder", type=PACK)
@click.option("--image", type=PATH, help="Search with a picture.")
@click.option("--text", help="Search with words.")
@click.option(
    "-k", "count", type=click.IntRange(1, MAX_HITS), default=5, show_default=True, help="How many hits."
)
@signature_option
@bundle_option
@json_option
def search(
    folder: Path, image: Path | None, text: str | None, count: int, require_signature: bool, bundle: Path | None,
    as_json: bool,
) -> None:
    """Search one pack with a picture or with words."""
    if (image is None) == (text is None):
        raise click.UsageError("give either --image or --text")
    embedder = BundleEmbedder(Bundle.load(bundle or default_bundle()))
    with Pack.open(folder, embedder.id, trusted=trusted_keys() if require_signature else None) as opened:
        hits = _search(opened, embedder, image, text, count)
    if as_json:
        print_json([hit.as_json() for hit in hits])
        return
    for hit in hits:
        click.echo(one_line(f"{hit.score:.3f}  {hit.entity}  ({hit.source or hit.pack})"))


def _search(
    opened: Pack, embedder: BundleEmbedder, image: Path | None, text: str | None, count: int
) -> list[Hit]:
    if image is not None:
        return opened.search_vectors(embedder.region(read_image(image), None), k=count)
    words = check_question(text or "")
    try:
        vector = embedder.text(words)
    except ValueError as error:
        raise Fault("text", expected="words", actual=repr(words), remedy="give other words") from error
    return opened.search_text(words, vector, k=count)
