"""What the mask side has learned, kept in the repository: `python -m pixsearch.model.sight MODEL` writes it.

Most of a training goes into seeing, which every size shares. It is kept without the language part, whose layers each
size chooses and adapts for itself, and without the region head, which is fitted anew before each training.
"""

from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file

from pixsearch.contract.faults import Fault
from pixsearch.model.checkpoint import load_model
from pixsearch.model.network import PixSearch

PARTS = ("pyramid", "projector", "tagger", "decoder")
SIGHT = Path(__file__).parent / "weights" / "sight.safetensors"


def save_sight(model: PixSearch, path: Path = SIGHT) -> None:
    """Write the parts as float16; atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: tensor.detach().to(torch.float16).contiguous() for name, tensor in model.state_dict().items()
               if name.partition(".")[0] in PARTS}, partial)
    partial.replace(path)


def load_sight(model: PixSearch, path: Path = SIGHT) -> None:
    """Put the parts into a model of any size with the same widths; what they lack starts anew.

    Raises Fault for parts of another shape.
    """
    kept, own = load_file(path), model.state_dict()
    if model.size.weights:  # words are of another width there: what only pictures pass through goes over
        kept = {name: tensor for name, tensor in kept.items() if name in own and own[name].shape == tensor.shape}
    wanted = {name for name in own if name.partition(".")[0] in PARTS}
    if wrong := sorted(name for name in kept if name not in wanted or own[name].shape != kept[name].shape):
        raise Fault(f"sight {path}", expected=f"the parts of {model.size.name}", actual=f"{wrong[0]} differs",
                    remedy="leave `sight` out of the run file")
    model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in kept.items()}, strict=False)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
def main(model: Path) -> None:
    """Keep the mask side of a trained MODEL folder as the start of later trainings."""
    save_sight(load_model(model).model)
    click.echo(f"{SIGHT.stat().st_size / 1e6:.1f} MB in {SIGHT}")


if __name__ == "__main__":
    main()
