"""`model bench`: its history and its check by ratio, energy counters, and peers that build and run."""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run

from pixsearch.apps import bench, bench_peers
from pixsearch.apps.bench_history import EARLIER, append_entry, check, entry_of, read_history, slower
from pixsearch.apps.bench_peers import OTHERS, UNIT, compared, graph_work, in_turns
from pixsearch.apps.commands import model as commands
from pixsearch.apps.energy import open_meter
from pixsearch.contract.faults import Fault
from pixsearch.edge.sessions import open_session
from pixsearch.export.gemma import GemmaDecoding
from pixsearch.export.peers import PEERS, export_peer

SMALL = {"efficientnet-lite0": 64, "resnet18": 64, "mobilesam": 64, "sam2-hiera-tiny": 128, "clip-vit-b16": 32}
STAGES = {"vision": 2.0, "mask": 1.0, "search": 0.001}


def a_result(machine: str = "board, 2 cores", threads: int = 2, factor: float = 1.0, **stages: float) -> dict:
    """Made-up figures; `factor` slows all of them, peer and stages alike, keywords single ratios."""
    ratios = STAGES | stages
    rows = {name: {"p50_ms": 10 * factor * ratio, "p95_ms": 99.0, "floor_ms": 0.1, "ratio": ratio}
            for name, ratio in ratios.items()}
    peer = {"p50_ms": 10 * factor, "ratio": 0.5, "beside": "region", "beside_p50_ms": 20.0, "runtime": "made up"}
    return {"machine": machine, "bundle": "red", "threads": threads, "stages": rows,
            "ask": {"p50_ms": 400.0, "p95_ms": 500.0, "ratio": 40.0, "first_token_p50_ms": 90.0},
            "decode": {"tokens_per_s": 100.0, "floor_tokens_per_s": 300.0}, "start_to_answer_s": 1.0,
            "peak_mb": 400.0, "bundle_mb": 60.0, "energy": None, "peers": {UNIT.name: peer}}


def entries(bundle: Path, *results: dict) -> list[dict]:
    return [entry_of(result, bundle) for result in results]


def test_a_history_keeps_when_where_and_of_what(red_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.jsonl"
    assert read_history(path) == []
    written = entries(red_bundle, a_result(), a_result(vision=3.0))
    for entry in written:
        append_entry(path, entry)
    assert read_history(path) == written
    assert set(written[0]) == {"date", "commit", "machine", "threads", "bundle", "bundle_hash", "figures"}
    assert len(written[0]["bundle_hash"]) == 12 and written[1]["figures"]["stages"]["vision"]["ratio"] == 3.0


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"figures": {"stages": 1, "ask": 2}}'])
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, red_bundle: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    append_entry(path, entries(red_bundle, a_result())[0])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(Fault, match="line 2"):
        read_history(path)


@pytest.mark.parametrize(("now", "expected"), [
    (a_result(), []),
    (a_result(factor=7.0), []),  # a slow moment for all
    (a_result(vision=2.5), []),
    (a_result(vision=2.7), ["vision"]),
    (a_result(vision=2.8, mask=4.0), ["mask", "vision"]),
    (a_result(search=0.015), []),  # too short to decide anything
    (a_result(new=5.0), []),  # nothing to compare with
    (a_result(machine="another"), None),
    (a_result(threads=1), None),
])
def test_what_got_slower_is_found_by_ratio(red_bundle: Path, now: dict, expected: list[str] | None) -> None:
    history = entries(red_bundle, a_result(), a_result(vision=9.0), a_result())
    found = slower(*entries(red_bundle, now), history, factor=1.3)
    assert (None if found is None else [one.stage for one in found]) == expected


def test_only_the_last_entries_say_what_is_usual(red_bundle: Path) -> None:
    history = entries(red_bundle, *[a_result(vision=0.5)] * 10, *[a_result()] * EARLIER)
    assert slower(*entries(red_bundle, a_result()), history, factor=1.3) == []


def test_the_check_names_stage_and_figures_in_one_line(red_bundle: Path) -> None:
    history = entries(red_bundle, a_result())
    with pytest.raises(Fault) as fault:
        check(*entries(red_bundle, a_result(mask=4.0, vision=3.0)), history, UNIT.name)
    line = str(fault.value)
    assert line.startswith("stage mask: expected at most 1.3 times its usual 1.000 of efficientnet-lite0")
    assert "got 4.000 (slower too: vision)" in line and "\n" not in line
    assert "nothing to compare" in str(check(history[0], [], UNIT.name))
    without = a_result()
    for row in [*without["stages"].values(), without["ask"]]:
        row["ratio"] = None
    with pytest.raises(Fault, match="export"):
        check(*entries(red_bundle, without), history, UNIT.name)


def test_the_command_keeps_passing_figures_and_ends_with_1_for_others(
        run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.jsonl"

    def timed(result: dict, *options: object):
        monkeypatch.setattr(commands, "bench", lambda *arguments: result)
        return run("model", "bench", "--history", path, *options)

    assert timed(a_result(), "--check").exit_code == 0
    failed = timed(a_result(vision=9.0), "--check")
    assert failed.exit_code == 1 and failed.stderr.startswith("pixsearch: stage vision: ")
    assert len(failed.stderr.splitlines()) == 1 and "energy not readable" in failed.stdout
    assert len(read_history(path)) == 1  # what failed does not become usual
    assert timed(a_result(vision=9.0), "--check", "--factor", 5).exit_code == 0
    printed = timed(a_result(vision=9.0), "--json")
    assert json.loads(printed.stdout)["peers"][UNIT.name]["ratio"] == 0.5
    assert len(read_history(path)) == 3
    assert run("model", "bench", "--check").exit_code == 2


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_builds_and_runs(name: str) -> None:
    build, _ = PEERS[name]
    side = SMALL[name]
    with torch.inference_mode():
        outputs = build(side).eval()(torch.randn(1, 3, side, side))
    shapes = [tuple(one.shape) for one in (outputs if isinstance(outputs, tuple) else (outputs,))]
    assert shapes == {
        "efficientnet-lite0": [(1, 1000)],
        "resnet18": [(1, 256, side // 16, side // 16)],
        "mobilesam": [(1, 1, 1, side // 4, side // 4)],
        "sam2-hiera-tiny": [(1, 256, side // stride, side // stride) for stride in (4, 8, 16)],
        "clip-vit-b16": [(1, 512)],
    }[name]


def test_every_peer_that_is_timed_has_a_row_and_a_stage_of_ours() -> None:
    assert {peer.row for peer in (UNIT, *OTHERS)} == set(PEERS)
    assert {peer.beside for peer in (UNIT, *OTHERS)} <= {"perception", "region"}


def test_an_exported_peer_says_what_torch_says(tmp_path: Path) -> None:
    path = tmp_path / "peer.onnx"
    torch.manual_seed(0)
    export_peer("mobilesam", path, 64)
    torch.manual_seed(0)
    module = PEERS["mobilesam"][0](64).eval()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = module(pixels).numpy()
    (found,) = open_session(path, threads=1).run({"pixels": pixels.numpy()}).values()
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert [one.name for one in tmp_path.iterdir()] == ["peer.onnx"]


def test_gemma_decodes_a_token_a_step() -> None:
    shape = {"vocab_size": 99, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
             "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    threads = torch.get_num_threads()
    gemma = GemmaDecoding(shape, threads)
    assert gemma.dtype in ("float32", "bfloat16")
    assert all(0 <= gemma.step() < 99 for _ in range(3)) and gemma._cache.get_seq_length() >= 203


def test_peer_and_ours_take_turns() -> None:
    called: list[str] = []
    theirs, own = in_turns(lambda: called.append("peer"), lambda: called.append("ours"), rounds=2)
    assert called == ["ours", "ours", "peer"] * 3 and (len(theirs), len(own)) == (2, 2)
    row = compared([30.0, 50.0, 40.0], [2.0, 4.0, 3.0], "perception", "made up")
    assert (row["p50_ms"], row["ratio"], row["beside_p50_ms"]) == (40.0, 13.33, 3.0)


def test_without_the_extra_what_cannot_be_exported_is_left_out_in_one_line(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "pixsearch.export.peers")
    assert bench_peers.unit_work(1) is None
    left_out = capsys.readouterr().err.splitlines()[-1]
    assert left_out.startswith(f"left out: {UNIT.name}") and "pixsearch[export]" in left_out
    ours = {"perception": lambda: None, "region": lambda: None, "language_step": lambda: None}
    assert bench_peers.time_others(ours, 1) == {}
    left_out = capsys.readouterr().err.splitlines()[-1]
    assert left_out.count("left out") == 1 and all(peer.name in left_out for peer in OTHERS)


def test_an_exported_graph_is_timed_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path)
    export_peer(UNIT.row, UNIT.file, 64)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert len(graph_work(UNIT, 1)()) == 1


def test_a_whole_run_keeps_the_contract(
        red_bundle: Path, red_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "EVERYDAY_PACK", red_pack)
    export_peer(UNIT.row, UNIT.file, 64)
    result = bench.bench(red_bundle, rounds=2, peers=False)
    assert set(result) == {"machine", "bundle", "threads", "stages", "ask", "decode", "start_to_answer_s", "peak_mb",
                           "bundle_mb", "energy", "peers"}
    perception = result["stages"]["perception"]
    parts = [result["stages"][name] for name in bench.PERCEPTION_PARTS]
    assert perception["floor_ms"] == pytest.approx(sum(part["floor_ms"] for part in parts), abs=0.01)
    assert perception["p50_ms"] > max(part["p50_ms"] for part in parts)
    assert all(row["ratio"] > 0 for row in (*result["stages"].values(), result["ask"]) if row["p50_ms"] > 0.05)
    assert set(result["peers"]) == {UNIT.name}


def counter(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def test_rapl_counts_packages_alone_and_goes_on_where_it_begins_again(tmp_path: Path) -> None:
    rapl = tmp_path / "class/powercap"
    counter(rapl / "intel-rapl:0", name="package-0", energy_uj=9_000_000, max_energy_range_uj=10_000_000)
    counter(rapl / "intel-rapl:1", name="package-1", energy_uj=1_000_000, max_energy_range_uj=10_000_000)
    counter(rapl / "intel-rapl:0:0", name="core", energy_uj=0, max_energy_range_uj=10_000_000)
    meter = open_meter(tmp_path)
    assert meter is not None and meter.source.startswith("RAPL")

    def work() -> None:
        (rapl / "intel-rapl:0/energy_uj").write_text("500000")  # begun again: 1.5 J
        (rapl / "intel-rapl:1/energy_uj").write_text("3000000")
        (rapl / "intel-rapl:0:0/energy_uj").write_text("9000000")

    assert meter.joules(work) == pytest.approx(3.5)


def test_a_jetson_s_input_rail_is_sampled_and_nothing_is_read_where_there_is_nothing(tmp_path: Path) -> None:
    rail = tmp_path / "bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon4"
    counter(rail, in1_label="VDD_IN", in1_input=5000, curr1_input=2000, in2_label="VDD_CPU", in2_input=5000,
            curr2_input=400, in7_label="sum of shunt voltages", in7_input=3)
    meter = open_meter(tmp_path)
    assert meter is not None and meter.source.startswith("INA")
    assert 0.09 < meter.joules(lambda: time.sleep(0.01)) < 5.0  # 10 W for at least a hundredth second
    shutil.rmtree(tmp_path / "bus")
    assert open_meter(tmp_path) is None
