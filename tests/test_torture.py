"""The trials of `make torture`, in small: the same code, fewer times."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixsearch.apps.torture import fuzz_targets, kills
from pixsearch.apps.torture.damage import KINDS
from pixsearch.apps.torture.fuzz_targets import TARGETS, Samples, edited_bytes, edited_json
from pixsearch.apps.torture.material import Colours, a_pack
from pixsearch.index.memory import MemoryPack

SMALL = {"--flips": 40, "--pages": 20, "--truncations": 20, "--kills": 15, "--seconds": 2, "--threads": 4,
         "--processes": 1, "--inputs": 2000}


def test_a_small_torture_holds_in_every_trial() -> None:
    options = [str(part) for pair in SMALL.items() for part in pair]
    done = subprocess.run([sys.executable, "-m", "pixsearch.apps.torture", "--json", *options],
                          capture_output=True, text=True, timeout=600)
    told: dict[str, Any] = json.loads(done.stdout)
    trials = {trial["trial"]: trial for trial in told["trials"]}
    assert (done.returncode, told["failed"]) == (0, 0), told
    assert [trials[kind]["tried"] for kind in KINDS] == [40, 20, 20]
    killed = [trial for name, trial in trials.items() if name.startswith("kill -9")]
    assert [trial["tried"] for trial in killed] == [3] * 5 and sum(trial["unfinished"] for trial in killed) > 3
    fuzzed = [trial["tried"] for name, trial in trials.items() if name.startswith("fuzzed")]
    assert sum(fuzzed) == 2000 and len(fuzzed) == len(TARGETS)
    assert all(trials["attacks on signed packs"]["refused"].values())


def test_a_trial_of_kills_can_fail(tmp_path: Path) -> None:
    third = a_pack(tmp_path / "third", 3, 5)
    assert kills._check_state(third, {"old": {}, "new": {}}) == "neither old nor new"
    with MemoryPack.open(tmp_path / "memory", Colours()) as memory:
        item = memory.add("thing 0", {"number": "7"})
    assert kills._check_memory(tmp_path / "memory", [("added", item), ("added", 99)]) \
        == f"lost {{99}}, back set(), halves [{item}]"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder = tmp_path_factory.mktemp("fuzz") / "samples"
    folder.mkdir()
    return Samples(folder)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=40))
def test_no_parser_lets_anything_but_a_fault_through(samples: Samples, target: str, data: bytes) -> None:
    TARGETS[target](samples, data)


@pytest.mark.parametrize("value", [0, None, [], "x", 1.5, True])
def test_a_manifest_that_is_another_json_value_is_a_fault(samples: Samples, value: object, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(fuzz_targets.Fault, match="a JSON object"):
        fuzz_targets.checked_manifest(tmp_path)


def test_edits_change_a_sample_and_leave_it_alone_without_any() -> None:
    sample = {"a": [1, 2, {"b": "c"}], "d": "e"}
    assert edited_json(sample, b"") == sample and edited_bytes(b"abc", b"") == b"abc"
    made = {json.dumps(edited_json(sample, bytes([what, 0, where, value])), default=str)
            for what in range(4) for where in range(30) for value in range(8)}
    assert len(made) > 30 and sample == {"a": [1, 2, {"b": "c"}], "d": "e"}
    assert len({edited_bytes(b"abcdef", bytes([what, at, 0, 7])) for what in range(6) for at in (0, 90, 200)}) > 10
