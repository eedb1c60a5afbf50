"""How far a bundle's graphs are from torch in float32: `python -m pixsearch.export.parity MODEL BUNDLE PHOTO…`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixsearch.contract import graphs
from pixsearch.contract.closeness import Closeness
from pixsearch.contract.images import read_image
from pixsearch.contract.preprocess import frame_batch, region_batch
from pixsearch.export.graphs import Graph, example_inputs, model_graphs
from pixsearch.model.checkpoint import Checkpoint, load_model

LENGTHS = ((1, 9), (12, 0), (7, 5))  # new tokens and past ones
QUESTION = "What is the thing on the left called, and who made it?"

Inputs = dict[str, Tensor]


def open_graph(path: Path) -> onnxruntime.InferenceSession:
    """A graph as ONNX Runtime opens it, without its warnings."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options)


def graph_error(graph: Graph, session: onnxruntime.InferenceSession, inputs: Mapping[str, Tensor]) -> Closeness:
    """How close all outputs of a graph are to torch's."""
    names = graphs.SIGNATURES[graph.name][0]
    with torch.inference_mode():
        expected = graph.module(*(inputs[name] for name in names))
    found: Sequence[NDArray[np.float32]] = session.run(None, {name: inputs[name].numpy() for name in names})
    outputs = expected if isinstance(expected, tuple) else (expected,)
    return Closeness.worst(Closeness.of(ours, theirs.numpy()) for ours, theirs in zip(found, outputs, strict=True))


@torch.inference_mode()
def real_inputs(checkpoint: Checkpoint, photograph: Path) -> dict[str, Inputs]:
    """A photograph and QUESTION as every graph takes them, each fed with what torch made of them before it."""
    model, tokenizer = checkpoint.model.eval(), checkpoint.tokenizer
    frame = read_image(photograph)
    pixels = torch.from_numpy(frame_batch(frame)[0])
    crop, weights = (torch.from_numpy(one) for one in region_batch(frame, None))
    image_tokens, detail, context, dense = model.see(model.look(pixels))
    ids = torch.tensor([tokenizer.prompt(QUESTION)])
    language = example_inputs(model, graphs.LANGUAGE, torch.Generator(), past=0) | {
        "ids": ids, "image_tokens": image_tokens}
    words = model.language(model.language.embed(ids, image_tokens))[0][:, 1 + model.size.image_tokens + 1:-1]
    hidden, valid = torch.zeros(1, graphs.SPAN_TOKENS, model.size.width), torch.zeros(1, graphs.SPAN_TOKENS)
    count = min(words.shape[1], graphs.SPAN_TOKENS)
    hidden[:, :count], valid[:, :count] = words[:, -count:], 1.0
    mask = example_inputs(model, graphs.MASK, torch.Generator()) | {
        "hidden": hidden, "hidden_mask": valid, "detail": detail, "context": context, "dense": dense}
    return {graphs.VISION: {"pixels": pixels}, graphs.LANGUAGE: language, graphs.MASK: mask,
            graphs.REGION: {"pixels": crop, "weights": weights},
            graphs.TEXT: {"ids": torch.tensor([tokenizer.encode(QUESTION)])}}


def parity(checkpoint: Checkpoint, bundle: Path, photographs: Sequence[Path]) -> dict[str, Closeness]:
    """How close each graph of a bundle is to torch, over random inputs and real photographs."""
    real = [real_inputs(checkpoint, photograph) for photograph in photographs]
    errors: dict[str, Closeness] = {}
    for graph in model_graphs(checkpoint.model.eval()):
        session = open_graph(bundle / graphs.graph_file(graph.name))
        inputs = [example_inputs(checkpoint.model, graph.name, torch.Generator().manual_seed(seed), *lengths)
                  for seed, lengths in enumerate(LENGTHS)]
        errors[graph.name] = Closeness.worst(
            graph_error(graph, session, one) for one in (*inputs, *(r[graph.name] for r in real)))
    return errors


@torch.inference_mode()
def next_token_agreement(checkpoint: Checkpoint, bundle: Path, photograph: Path) -> float:
    """Share of a real prompt's positions at which a bundle expects the same next token as torch, 0..1.

    The graph reads the prompt as the device does: the image at once, then word for word from its own cache.
    """
    given = real_inputs(checkpoint, photograph)[graphs.LANGUAGE]
    language = checkpoint.model.language
    hidden, _ = language(language.embed(given["ids"], given["image_tokens"]))
    expected = language.logits(hidden[0]).argmax(dim=-1).tolist()
    session = open_graph(bundle / graphs.graph_file(graphs.LANGUAGE))
    feeds = {name: given[name].numpy() for name in graphs.SIGNATURES[graphs.LANGUAGE][0]}
    ids, first = feeds["ids"], 1 + checkpoint.model.size.image_tokens
    found: list[int] = []
    for start, end in [(0, first), *((at, at + 1) for at in range(first, ids.shape[1]))]:
        logits, _, feeds["past_keys"], feeds["past_values"] = session.run(None, feeds | {"ids": ids[:, start:end]})
        found.append(int(logits[0].argmax()))
    return float(np.mean([ours == theirs for ours, theirs in zip(found, expected[first - 1:], strict=True)]))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("photographs", type=click.Path(path_type=Path), nargs=-1)
def main(model: Path, bundle: Path, photographs: tuple[Path, ...]) -> None:
    """Compare every graph of BUNDLE with MODEL in torch, on random inputs and on PHOTOGRAPHS."""
    checkpoint = load_model(model)
    click.echo(f"{'graph':<10}{'error':>10}{'relative':>10}{'cosine':>10}")
    for name, close in parity(checkpoint, bundle, photographs).items():
        click.echo(f"{name:<10}{close.absolute:>10.2e}{close.relative:>10.2e}{close.cosine:>10.5f}")
    for photograph in photographs:
        share = next_token_agreement(checkpoint, bundle, photograph)
        click.echo(f"{share:.1%} of next tokens as in torch, {photograph.name}")


if __name__ == "__main__":
    main()
