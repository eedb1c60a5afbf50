"""What all commands share: option types, options, JSON output, and faults as one line."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from pixsearch.contract.faults import Fault
from pixsearch.index.installed import installed_folder

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
MAX_BUDGET = 8


class OneLine(click.ClickException):
    """A fault as the user sees it: one line on stderr, exit status 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"pixsearch: {self.message}", err=True, file=file)


class Commands(click.Group):
    """A group whose commands end in one line when an input or a file is at fault."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with _one_line():
            return super().invoke(context)


class OneCommand(click.Command):
    """A command of its own that ends in one line when an input or a file is at fault."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with _one_line():
            return super().invoke(context)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        raise OneLine(str(fault)) from fault
    except OSError as error:
        if error.filename is None:
            raise
        raise OneLine(f"file {error.filename}: {error.strerror or error}") from error


class Numbers(click.ParamType[tuple[float, ...]]):
    """Comma-separated finite numbers, as many as there are names in `name` ("X,Y")."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the option's text."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != len(self.name.split(",")) or not all(map(math.isfinite, numbers)):
            self.fail(f"expected {self.name} in pixels, got {value!r}", param, ctx)
        return numbers


class PackPath(click.ParamType[Path]):
    """A pack by its path, or by the name under which it is installed."""

    name = "pack"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """A path that exists goes before a name; what is neither is left to who opens it."""
        if isinstance(value, Path) or Path(value).exists():
            return Path(value)
        return installed_folder(value) or Path(value)


PACK = PackPath()


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def json_option(function: Function) -> Function:
    """`--json` as the flag `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)


def bundle_option(function: Function) -> Function:
    """`--bundle DIR`, the model bundle."""
    return click.option("--bundle", type=PATH, help="Model bundle; the shipped one unless given.")(function)


def packs_option(function: Function) -> Function:
    """`--pack P`, as often as wanted."""
    return click.option(
        "--pack",
        "packs",
        type=PACK,
        multiple=True,
        help="Knowledge pack, a path or the name of an installed one; may be repeated; the everyday pack unless given.",
    )(function)


def signature_option(function: Function) -> Function:
    """`--require-signature`, the flag `require_signature`."""
    return click.option(
        "--require-signature", is_flag=True, help="Refuse packs that no trusted key has signed."
    )(function)


def check_output(path: Path, suffix: str) -> None:
    """Refuse a file that could not be written after the work is done. Raises Fault."""
    if path.suffix.lower() != suffix:
        raise Fault(
            f"output {path}",
            expected=f"a name that ends in {suffix}",
            actual=path.name,
            remedy="choose another name",
        )
    if not path.parent.is_dir() or path.is_dir():
        raise Fault(
            f"output {path}",
            expected="a file in an existing folder",
            actual="none there",
            remedy=f"make the folder {path.parent} first, or choose another name",
        )
