"""The planning page: its formulas agree with real classes and small runs, and the page is what they give now."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pixsearch.apps.planning.__main__ import page
from pixsearch.apps.planning.checks import Check, index_checks, parameter_checks, training_checks
from pixsearch.apps.planning.index import Cluster, DiskGraph, Graph, plan_index, seconds_a_vector
from pixsearch.apps.planning.training import (
    LLAVA_13B,
    MODELS,
    QWEN_3B,
    Gpu,
    Layers,
    Recipe,
    memory_gb,
    operations,
    plan,
)

PAGE = Path(__file__).parents[1] / "docs" / "planning.md"


def test_counted_parameters_are_those_of_the_real_classes() -> None:
    assert [check.ratio for check in parameter_checks()] == pytest.approx([1.0, 1.0], abs=0.005)


def test_a_small_model_trains_as_many_parameters_as_counted() -> None:
    trained, step = training_checks(Layers(2, 128, 2, 2, 64, 256), tokens=16, steps=1)
    assert trained.ratio == 1.0 and step.measured > 0 and step.predicted > 0


def test_a_graph_s_file_is_as_large_as_counted() -> None:
    (build, size), (seconds, count) = index_checks((500, 2_000))
    assert size.ratio == pytest.approx(1.0, abs=0.02) and build.measured == pytest.approx(seconds * count)


def test_one_gpu_holds_the_small_model_and_four_bits_the_large_one() -> None:
    assert sum(memory_gb(QWEN_3B, Recipe()).values()) < 48
    whole = memory_gb(LLAVA_13B, Recipe())
    assert whole["language weights"] == pytest.approx(26, abs=1)
    assert sum(memory_gb(LLAVA_13B, Recipe(quantized=True, batch=1)).values()) < 24 < sum(whole.values())


def test_where_one_gpu_is_too_small_weights_are_sharded() -> None:
    small = replace(Gpu(), memory_gb=30.0)
    assert plan(LLAVA_13B, Recipe(), Gpu(), 8).way == "DDP"
    sharded = plan(LLAVA_13B, Recipe(), small, 8)
    assert sharded.way == "FSDP" and sharded.memory_gb < 30
    assert sharded.gpu_hours == plan(LLAVA_13B, Recipe(), Gpu(), 8).gpu_hours
    assert plan(LLAVA_13B, Recipe(), Gpu(), 32).days == pytest.approx(plan(LLAVA_13B, Recipe(), Gpu(), 8).days / 4)


def test_sums_grow_with_samples_and_tokens() -> None:
    once = operations(QWEN_3B, Recipe())
    assert operations(QWEN_3B, Recipe(samples=(3_000_000, 1_000_000))) == pytest.approx(2 * once)
    assert operations(QWEN_3B, Recipe(text_tokens=(320, 720))) > once < operations(LLAVA_13B, Recipe())


def test_a_large_index_is_split_over_nodes() -> None:
    graph = Graph(10**9)
    big = plan_index(graph, Cluster(), 1e-3)
    assert graph.vector_bytes == pytest.approx(1024 + 132 + 16, abs=16)
    assert big.nodes % 2 == 0 and big.segments * 4 >= big.memory_gb > big.nodes / 2 * 100
    assert plan_index(replace(graph, value_bytes=1), Cluster(), 1e-3).nodes < big.nodes
    assert big.build_hours == pytest.approx(10**9 * 1e-3 / 256 / 3600)
    assert DiskGraph(10**9).memory_gb == 64 and seconds_a_vector(1.0, 100, 10_000) == 2.0


def test_the_committed_page_is_what_the_script_writes_but_for_measured_figures() -> None:
    checks = [Check("a", "s", 1.0, 2.0)]
    written = page(checks, (1e-3, 40_000), "here")
    assert "| a, s | 1.000 | 2.000 | 2.00 |" in written and "here" in written
    counted = [line for line in written.splitlines()
               if line.startswith("|") and not re.match(r"\| (a, s|HNSW)", line)]
    kept = PAGE.read_text("utf-8").splitlines()
    assert len(counted) > 20 and [line for line in counted if line not in kept] == []
    assert all(model.name in written for model in MODELS)
