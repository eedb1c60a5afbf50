"""`pixsearch pack delta, apply, compact`: a new version of a pack from what changed."""

from pathlib import Path

import click

from pixsearch.apps.console import PACK, PATH, signature_option
from pixsearch.index import installed, signatures
from pixsearch.index.compact import compact as compact_pack
from pixsearch.index.delta import apply_delta, build_target, write_delta

SIGNING_KEY = click.option("--key", type=PATH, help="Sign the result with this secret key.")


@click.command()
@click.argument("old", type=PACK)
@click.argument("new", type=PACK)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write, such as museum-2.delta.")
@SIGNING_KEY
def delta(old: Path, new: Path, output: Path, key: Path | None) -> None:
    """Write what leads from the pack OLD to its later version NEW."""
    secret = None if key is None else signatures.read_secret_key(key)
    manifest = write_delta(old, new, output, secret)
    base, target = manifest["base"]["version"], manifest["target"]["version"]
    click.echo(f"{output}: {manifest['name']} from version {base} to {target}, {output.stat().st_size:,} bytes")


@click.command()
@click.argument("pack")
@click.argument("update", type=PATH)
@signature_option
def apply(pack: str, update: Path, require_signature: bool) -> None:
    """Turn PACK, a folder or an installed pack, into the later version that the delta UPDATE leads to."""
    trusted = signatures.trusted_keys() if require_signature else None
    folder = None if Path(pack).exists() else installed.installed_folder(pack)
    if folder is None:
        version = apply_delta(Path(pack), update, trusted)["version"]
    else:
        version = installed.adopt(lambda target: build_target(folder, update, target, trusted), trusted).version
    click.echo(f"{pack}  version {version}")


@click.command()
@click.argument("folder", type=PATH)
@click.option("--without", multiple=True, metavar="ID", help="Take this entity out; may be repeated.")
@SIGNING_KEY
def compact(folder: Path, without: tuple[str, ...], key: Path | None) -> None:
    """Take entities out of a pack and give back all space that it does not need."""
    secret = None if key is None else signatures.read_secret_key(key)
    manifest = compact_pack(folder, without, secret)
    click.echo(f"{folder}: version {manifest['version']}, {manifest['counts']['entities']} entities")
