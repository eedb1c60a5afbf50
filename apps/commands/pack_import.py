"""`pixsearch pack import`: from what others publish to the folder that `pack build` takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pixsearch.apps.console import PATH
from pixsearch.apps.extras import needs_extra
from pixsearch.index.importers.crag_mm import import_crag_mm
from pixsearch.index.importers.folder import Imported
from pixsearch.index.importers.huggingface import import_huggingface
from pixsearch.index.importers.photos import import_photos

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group("import")
def import_group() -> None:
    """Write the folder that `pack build` takes from a collection in another form."""


def _source_and_output(function: Function) -> Function:
    """SOURCE, `-o FOLDER` and `--skip-bad`, which all importers take."""
    function = click.option("--skip-bad", is_flag=True, help="Leave bad rows out instead of stopping.")(function)
    function = click.option("-o", "--output", required=True, type=PATH, help="The new folder.")(function)
    return click.argument("source", type=PATH)(function)


@import_group.command("crag-mm")
@_source_and_output
@needs_extra("import")
def crag_mm(source: Path, output: Path, skip_bad: bool) -> None:
    """A CRAG-MM image index: records (JSON, JSON lines or its Chroma database) and pictures, both below SOURCE."""
    _tell(output, import_crag_mm(source, output, skip_bad=skip_bad))


@import_group.command()
@_source_and_output
def photos(source: Path, output: Path, skip_bad: bool) -> None:
    """A folder of photographs, named by what they show or in subfolders that are."""
    _tell(output, import_photos(source, output, skip_bad=skip_bad))


@import_group.command()
@_source_and_output
@click.option("--image", help="The column with the pictures, where the dataset has several.")
@click.option("--name", help="The column with the names, where it cannot be told.")
@needs_extra("import")
def huggingface(source: Path, output: Path, skip_bad: bool, image: str | None, name: str | None) -> None:
    """A Hugging Face image dataset, as `save_to_disk` writes it or as Parquet files."""
    _tell(output, import_huggingface(source, output, image=image, name=name, skip_bad=skip_bad))


def _tell(output: Path, imported: Imported) -> None:
    click.echo(f"{output}: {imported.entities} entities, {imported.pictures} pictures, {imported.skipped} skipped")
    if imported.pictures_left_out:
        click.echo(f"{imported.pictures_left_out} pictures left out: their entities have enough", err=True)
    for name, count in imported.facts_left_out.items():
        click.echo(f"{name!r} left out of {count} entities: their pictures disagree about it", err=True)
