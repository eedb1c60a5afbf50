"""The command `pixsearch`."""

import warnings

import click
from PIL import Image

from pixsearch import __version__
from pixsearch.apps.commands.ask import ask
from pixsearch.apps.commands.doctor import doctor
from pixsearch.apps.commands.evaluation import evaluation
from pixsearch.apps.commands.glasses import glasses
from pixsearch.apps.commands.memory import memory
from pixsearch.apps.commands.model import model
from pixsearch.apps.commands.pack import pack
from pixsearch.apps.commands.train import train
from pixsearch.apps.console import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pixsearch")
def cli() -> None:
    """Look at a picture, search a local index with what is in it, and answer with sources."""


for command in (ask, glasses, pack, memory, model, train, evaluation, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    # Pictures of that size are refused by `contract.images` itself, in one line.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    cli(prog_name="pixsearch")


if __name__ == "__main__":
    main()
