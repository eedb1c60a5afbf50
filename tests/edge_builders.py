"""Builders for device-side tests: a bundle of five small real graphs that sees red, and frames for it."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pixsearch.contract import graphs, preprocess
from pixsearch.contract.files import atomic_directory, write_manifest
from pixsearch.contract.looks import LOOKS
from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer

WIDTH = 3  # the vision graph gives colours, averaged over cells
RED, GREEN, GREY = (255, 0, 0), (0, 255, 0), (128, 128, 128)
CALIBRATION = {
    "weights": {"score": 4.0, "margin": 0.0, "logprob": 1.0, "iou": 1.0},
    "bias": 0.0,
    "threshold": 0.5,
    "sure": 0.8,
    "likely": 0.6,
}
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def tokenizer() -> Tokenizer:
    return Tokenizer(byte_tokenizer())


def a_frame(
    colour: tuple[int, int, int] = RED,
    box: tuple[int, int, int, int] = (60, 40, 120, 100),
    height: int = 200,
    width: int = 300,
) -> np.ndarray:
    """A grey frame with one box of a colour."""
    frame = np.full((height, width, 3), GREY, np.uint8)
    frame[box[1] : box[3], box[0] : box[2]] = colour
    return frame


def script(*parts: str) -> list[int]:
    """Ids of a scripted trace: special tokens by name, other parts as bytes; no id may occur twice."""
    words = tokenizer()
    special = words._backend
    ids = [
        token
        for part in parts
        for token in (
            [special.token_to_id(part)]
            if part in ("<search>", "<region>", "<image>", "</search>", "</information>", "<answer>", "<eos>")
            else words.encode(part)
        )
    ]
    assert len(set(ids)) == len(ids), "each token of a script says what follows it"
    return ids


REGION_SCRIPT = script("<answer>", "It", "<search>", "<region>", "</information>", " owl", "<eos>")
NAMED_SCRIPT = script("<answer>", "leaf", "<search>", "<region>", "</information>", " up", "<eos>")
IMAGE_SCRIPT = script("<answer>", "<search>", "<image>", "</information>", " owl", "<eos>")
TEXT_SCRIPT = script("<answer>", "<search>", "bal", "</search>", "</information>", " ok", "<eos>")
PLAIN_SCRIPT = script("<answer>", "Red", "<eos>")


def a_bundle(
    folder: Path, says: list[int] = REGION_SCRIPT, calibration: dict | None = None, **changes
) -> Path:
    """Write a bundle whose language follows a script and whose mask is whatever is red."""
    size = tokenizer().size
    built = {
        graphs.VISION: _vision(),
        graphs.LANGUAGE: _language(size, says),
        graphs.MASK: _mask(),
        graphs.REGION: _region(),
        graphs.TEXT: _text(size),
    }
    manifest = {
        "format_version": graphs.BUNDLE_FORMAT,
        "kind": "bundle",
        "name": "red",
        "size": "tiny",
        "precision": "fp32",
        "embedder": "red-1",
        "dimensions": {
            "width": WIDTH,
            "region": 3,
            "text": 3,
            "layers": 1,
            "kv_heads": 1,
            "head_width": WIDTH,
            "vocabulary": size,
            "detail": 3,
            "context": 3,
        },
        "preprocessing": preprocess.CONSTANTS,
        "graphs": {name: {} for name in built},
        "calibration": calibration or CALIBRATION,
        "licences": {},
        **changes,
    }
    with atomic_directory(folder) as new:
        for name, model in built.items():
            onnx.save(model, str(new / graphs.graph_file(name)))
        byte_tokenizer().save(str(new / graphs.TOKENIZER_FILE))
        write_manifest(new, manifest)
    return folder


def _model(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        inputs,
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _value(name: str, shape: list, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _pool(source: str, target: str, side: int) -> onnx.NodeProto:
    return helper.make_node(
        "AveragePool", [source], [target], kernel_shape=[side, side], strides=[side, side]
    )


def _vision() -> onnx.ModelProto:
    nodes = [
        _pool("pixels", "detail", 4),
        _pool("pixels", "context", 16),
        _pool("pixels", "dense", 32),
        _pool("pixels", "coarse", 64),
        helper.make_node("Reshape", ["coarse", "flat_shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["image_tokens"], perm=[0, 2, 1]),
    ]
    outputs = [
        _value("image_tokens", [1, 36, 3]),
        _value("detail", [1, 3, 96, 96]),
        _value("context", [1, 3, 24, 24]),
        _value("dense", [1, 3, 12, 12]),
    ]
    return _model(
        nodes, [_value("pixels", [1, 3, 384, 384])], outputs, {"flat_shape": np.array([1, 3, 36], np.int64)}
    )


def _language(size: int, says: list[int]) -> onnx.ModelProto:
    """Each id of the script makes the next one likely; hidden states are a fixed embedding."""
    table = np.zeros((size, size), np.float32)
    table[says[:-1], says[1:]] = 9.0
    embedding = np.random.default_rng(0).normal(size=(size, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["embedding", "ids"], ["hidden"]),
        helper.make_node("Unsqueeze", ["hidden", "first"], ["new"]),
        helper.make_node("Concat", ["past_keys", "new"], ["keys"], axis=2),
        helper.make_node("Concat", ["past_values", "new"], ["values"], axis=2),
        helper.make_node("Gather", ["ids", "last"], ["last_id"], axis=1),
        helper.make_node("Gather", ["table", "last_id"], ["logits"]),
    ]
    cache = [1, 1, "P", WIDTH]
    grown = [1, 1, "N", WIDTH]
    return _model(
        nodes,
        [
            _value("ids", [1, "T"], INT),
            _value("image_tokens", [1, 36, WIDTH]),
            _value("past_keys", cache),
            _value("past_values", cache),
        ],
        [
            _value("logits", [1, size]),
            _value("hidden", [1, "T", WIDTH]),
            _value("keys", grown),
            _value("values", grown),
        ],
        {
            "table": table,
            "embedding": embedding,
            "first": np.array([0], np.int64),
            "last": np.array(-1, np.int64),
        },
    )


def _mask() -> onnx.ModelProto:
    """Red less green, or whatever is like the looks; sure of itself where there is any; every word is of the span."""
    inside = np.zeros((1, graphs.SPAN_TOKENS, 3), np.float32)
    inside[..., graphs.TAG_INSIDE] = 1
    nodes = [
        helper.make_node("ReduceMean", ["looks", "ways"], ["look"], keepdims=0),
        helper.make_node("ReduceL2", ["look", "ways"], ["known"]),
        helper.make_node("Sub", ["one", "known"], ["unknown"]),
        helper.make_node("Mul", ["unknown", "red_less_green"], ["default"]),
        helper.make_node("Add", ["look", "default"], ["wanted"]),
        helper.make_node("Unsqueeze", ["wanted", "plane"], ["colour"]),
        helper.make_node("Mul", ["detail", "colour"], ["alike"]),
        helper.make_node("ReduceSum", ["alike", "ways"], ["likeness"]),
        helper.make_node("Sub", ["likeness", "threshold"], ["mask"]),
        helper.make_node("ReduceMax", ["mask", "plane"], ["reddest"], keepdims=0),
        helper.make_node("Mul", ["reddest", "ten"], ["evidence"]),
        helper.make_node("Sigmoid", ["evidence"], ["iou"]),
        helper.make_node("Identity", ["hidden_mask"], ["span"]),
        helper.make_node("Identity", ["inside"], ["tags"]),
    ]
    words = graphs.SPAN_TOKENS
    inputs = [
        _value("hidden", [1, words, WIDTH]),
        _value("hidden_mask", [1, words]),
        _value("detail", [1, 3, 96, 96]),
        _value("context", [1, 3, 24, 24]),
        _value("dense", [1, 3, 12, 12]),
        _value("point", [1, 3]),
        _value("box", [1, 5]),
        _value("previous", [1, 1, 96, 96]),
        _value("looks", [1, LOOKS, 3]),
    ]
    outputs = [
        _value("tags", [1, words, 3]),
        _value("span", [1, words]),
        _value("mask", [1, 1, 96, 96]),
        _value("iou", [1, 1]),
    ]
    return _model(
        nodes,
        inputs,
        outputs,
        {
            "threshold": np.float32(0.5),
            "one": np.float32(1),
            "ways": np.array([1], np.int64),
            "red_less_green": np.array([[1, -1, 0]], np.float32),
            "ten": np.float32(10),
            "inside": inside,
            "plane": np.array([2, 3], np.int64),
        },
    )


def _region() -> onnx.ModelProto:
    nodes = [
        _pool("pixels", "cells", 32),
        helper.make_node("Mul", ["cells", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "plane"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "shift"], ["shifted"]),
        helper.make_node("LpNormalization", ["shifted"], ["vector"], axis=1),
    ]
    return _model(
        nodes,
        [_value("pixels", [1, 3, 224, 224]), _value("weights", [1, 1, 7, 7])],
        [_value("vector", [1, 3])],
        {"plane": np.array([2, 3], np.int64), "shift": np.array([[0, 0, 0.01]], np.float32)},
    )


def _text(size: int) -> onnx.ModelProto:
    embedding = np.random.default_rng(1).normal(size=(size, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["embedding", "ids"], ["words"]),
        helper.make_node("ReduceMean", ["words", "axis"], ["mean"], keepdims=0),
        helper.make_node("LpNormalization", ["mean"], ["vector"], axis=1),
    ]
    return _model(
        nodes,
        [_value("ids", [1, "T"], INT)],
        [_value("vector", [1, 3])],
        {"embedding": embedding, "axis": np.array([1], np.int64)},
    )
