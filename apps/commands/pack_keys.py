"""`pixsearch pack keys` and `pixsearch pack sign`: who vouches for a pack, and whom this user trusts."""

from pathlib import Path

import click

from pixsearch.apps.console import PATH, json_option, print_json
from pixsearch.index import pack as packs
from pixsearch.index import signatures


@click.group()
def keys() -> None:
    """Make signing keys, and choose whose signatures to trust."""


@keys.command()
@click.argument("file", type=PATH)
def new(file: Path) -> None:
    """Make a secret key FILE for signing, and its public half beside it, FILE with the ending .pub."""
    click.echo(f"{file}: keep it secret; give {signatures.new_key(file)} to those who install your packs")


@keys.command()
@click.argument("file", type=PATH)
@click.option("--name", help="What to call it; the file's name unless given.")
def trust(file: Path, name: str | None) -> None:
    """Trust packs that are signed with the public key FILE."""
    key = signatures.trust(file, name)
    click.echo(f"{name or file.stem}: key {key[:12]}… is trusted")


@keys.command()
@click.argument("name")
def distrust(name: str) -> None:
    """Trust the key NAME no longer."""
    signatures.distrust(name)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys that are trusted."""
    trusted = signatures.trusted_keys()
    if as_json:
        print_json([{"name": name, "key": key} for key, name in trusted.items()])
        return
    for key, name in trusted.items():
        click.echo(f"{name:<24} {key}")


@click.command()
@click.argument("folder", type=PATH)
@click.option("--key", required=True, type=PATH, help="A secret key from `pixsearch pack keys new`.")
def sign(folder: Path, key: Path) -> None:
    """Check every byte of a pack and sign it."""
    packs.sign(folder, signatures.read_secret_key(key))
