"""Fixtures that command-line, glasses and page tests share: a small real bundle, a pack of it, a runner."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from edge_builders import GREEN, RED, a_bundle, a_frame
from PIL import Image

from pixsearch.apps.main import cli
from pixsearch.edge.assistant import open_assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.export.bundle import export_bundle
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter
from pixsearch.model.checkpoint import Checkpoint
from pixsearch.model.prepare import prepare
from pixsearch.model.sizes import SIZES

Run = Callable[..., Result]
pytest_plugins = ["offline_guard"]  # no test opens a socket, but those marked `loopback`


@pytest.fixture(scope="session", autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the folders of who runs it: packs, keys and caches go to a temporary one."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("data", "config", "cache", "state"):
            patch.setenv(f"XDG_{name.upper()}_HOME", str(home / name))
        yield home


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: sums in another order round differently, and small models gain nothing by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def red_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that cuts out what is red and names the first hit "owl"."""
    return a_bundle(tmp_path_factory.mktemp("bundle") / "red")


@pytest.fixture(scope="session")
def red_pack(red_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of that bundle's embedder with a red owl and a green leaf."""
    return colour_pack(tmp_path_factory.mktemp("pack") / "colours.pxpack", red_bundle)


def colour_pack(folder: Path, bundle: Path, embedder: str = "red-1", first: str = "owl") -> Path:
    """A pack with a red thing, called `first`, and a green leaf."""
    embed = BundleEmbedder(Bundle.load(bundle, threads=1))
    with PackWriter(folder, name="colours", embedder=EmbedderId(embedder, 3, 3), licence="CC0") as writer:
        for key, name, colour in (("owl", first, RED), ("leaf", "leaf", GREEN)):
            picture = np.full((50, 50, 3), colour, np.uint8)
            row = writer.add_entity(
                key, name, facts={"colour": "red" if key == "owl" else "green"}, source="guide"
            )
            writer.add_vector(row, embed.region(picture, None), View.REGION, thumbnail=picture)
            writer.add_text_vector(row, embed.text(name))
    return folder


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path]:
    """A random model of the tiny size and its float32 bundle."""
    folder = tmp_path_factory.mktemp("export") / "tiny-fp32"
    checkpoint = prepare(SIZES["tiny"], folder, folder)
    export_bundle(checkpoint, folder)
    return checkpoint, folder


@pytest.fixture
def red_assistant(red_bundle: Path, red_pack: Path):
    with open_assistant(red_bundle, [red_pack], threads=1) as assistant:
        yield assistant


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A grey picture with a red box, 300 x 200 pixels."""
    path = tmp_path / "photo.png"
    Image.fromarray(a_frame()).save(path)
    return path


@pytest.fixture
def run(red_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line with the small bundle as the shipped one."""
    monkeypatch.setenv("PIXSEARCH_BUNDLE", str(red_bundle))
    monkeypatch.setenv("PIXSEARCH_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(cli, [str(one) for one in arguments])
