"""The wearer's companion as commands open it: packs, memory and cloud from their options."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pixsearch.apps.cloud import open_cloud
from pixsearch.apps.console import PATH
from pixsearch.apps.defaults import memory_folder
from pixsearch.apps.extras import needs_extra
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.companion import Companion
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.memories import Memories
from pixsearch.edge.reading import Reader
from pixsearch.index.memory import MemoryLimits, MemoryPack
from pixsearch.index.memory_store import PLAIN, Engine, is_encrypted

Function = TypeVar("Function", bound=Callable[..., Any])
PASSPHRASE, MEGABYTES = "PIXSEARCH_PASSPHRASE", "PIXSEARCH_MEMORY_MB"
MEMORY_NAME = "memory"


def memory_option(function: Function) -> Function:
    """`--memory FOLDER` and `--no-memory`."""
    function = click.option("--no-memory", is_flag=True, help="Neither remember nor recall anything.")(function)
    return click.option("--memory", type=PATH, metavar="FOLDER",
                        help="The wearer's memory; the one in the data folder unless given.")(function)


def open_companion(assistant: Assistant, memory: Path | None = None, no_memory: bool = False,
                   cloud: str | None = None, cloud_model: str | None = None, *, new: bool = True) -> Companion:
    """An assistant with the wearer's memory, a reader and the server that may be asked; it closes the assistant, too.

    new : whether a memory is made where there is none. Raises Fault; the assistant is closed then.
    """
    folder = memory or memory_folder()
    try:
        elsewhere = open_cloud(cloud, cloud_model, (MEMORY_NAME,))
        wanted = not no_memory and (new or folder.exists())
        pack = open_memory(folder, assistant.bundle) if wanted else None
    except BaseException:
        assistant.close()
        raise
    memories = Memories(pack, assistant.bundle) if pack is not None else None
    return Companion(assistant, memories, elsewhere, needs_extra("ocr")(Reader))


def open_memory(folder: Path, bundle: Bundle) -> MemoryPack:
    """The memory in a folder, made when it is not there. Raises Fault."""
    return MemoryPack.open(folder, BundleEmbedder(bundle), name=MEMORY_NAME, limits=_limits(),
                           engine=_engine(folder))


def _limits() -> MemoryLimits:
    """As large as PIXSEARCH_MEMORY_MB says."""
    told = os.environ.get(MEGABYTES)
    if told is None:
        return MemoryLimits()
    if not told.isdecimal() or not 1 <= int(told) <= 1 << 20:
        raise Fault(f"environment {MEGABYTES}", expected="megabytes from 1 to 1048576", actual=repr(told[:20]),
                    remedy="set it again")
    return MemoryLimits(bytes=int(told) << 20)


@needs_extra("encryption")
def _encrypted(folder: Path, passphrase: str | None) -> Engine:
    from pixsearch.index.memory_cipher import engine_for

    return engine_for(folder, passphrase)


def _engine(folder: Path) -> Engine:
    """Plain, unless the memory is encrypted or a passphrase is set; a terminal is asked for what is missing."""
    passphrase = os.environ.get(PASSPHRASE)
    if passphrase is None and not is_encrypted(folder):
        return PLAIN
    if passphrase is None and sys.stdin.isatty():
        passphrase = str(click.prompt("Passphrase of the memory", hide_input=True, err=True))
    return _encrypted(folder, passphrase)
