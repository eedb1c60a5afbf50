"""Graphs once more in the form that CPUs run fastest, beside those of a bundle, whose weights they read.

| graph | form |
|---|---|
| language | larger kernels, and a cache that grows where it lies (`fused.py`) |
| vision, region | a trunk with int8 activations (`static.py`) |

They are small: GPUs run the plain graphs, which these are checked against.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import onnx
from onnx.external_data_helper import set_external_data

from pixsearch.contract import graphs
from pixsearch.contract.files import atomic_directory, read_manifest, write_manifest
from pixsearch.contract.images import Pixels, read_image
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.export.calibration import feeds_of
from pixsearch.export.fused import fused_language
from pixsearch.export.static import static_trunk
from pixsearch.model.sizes import Size, size_named

INLINE_BYTES = 1024  # smaller tensors are kept in the graph itself


def add_fast(folder: Path, size: Size, context: int, frames: Sequence[Pixels]) -> None:
    """Write the fast forms of an int8 bundle's graphs.

    context : how many tokens the language graph's cache has room for
    frames  : photographs, uint8 RGB (H, W, 3), that ranges are taken from; without any, only language has a fast form
    """
    if not size.family:
        path = folder / graphs.graph_file(graphs.LANGUAGE)
        _write(fused_language(onnx.load(path), size, context), path, folder / graphs.fast_file(graphs.LANGUAGE))
    for name in (graphs.VISION, graphs.REGION) if frames else ():
        path = folder / graphs.graph_file(name)
        if (static := static_trunk(path, feeds_of(name, frames))) is not None:
            _write(static, path, folder / graphs.fast_file(name))


def _write(model: onnx.ModelProto, store: Path, path: Path) -> None:
    """Write a graph whose large tensors are read from where their bytes stand in another file of the same folder."""
    content = store.read_bytes()
    for tensor in model.graph.initializer:
        size = len(tensor.raw_data)
        if size >= INLINE_BYTES and (offset := content.find(tensor.raw_data)) >= 0:
            set_external_data(tensor, store.name, offset, size)
            tensor.ClearField("raw_data")
    onnx.save(model, path)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("photographs", type=click.Path(path_type=Path), nargs=-1)
def main(bundle: Path, photographs: tuple[Path, ...]) -> None:
    """Add the fast forms to an int8 BUNDLE, those of vision and region with ranges from PHOTOGRAPHS."""
    manifest = read_manifest(bundle, "bundle")
    with atomic_directory(bundle) as new:
        shutil.copytree(bundle, new, dirs_exist_ok=True)
        for name in graphs.GRAPHS:
            (new / graphs.fast_file(name)).unlink(missing_ok=True)
        add_fast(new, size_named(manifest["size"]), Tokenizer.load(new / graphs.TOKENIZER_FILE).context,
                 [read_image(path) for path in photographs])
        write_manifest(new, {key: value for key, value in manifest.items() if key not in ("files", "checksum")})
    for path in sorted(bundle.glob(graphs.fast_file("*"))):
        click.echo(f"{path.stat().st_size / 1e3:.0f} kB in {path}")


if __name__ == "__main__":
    main()
