"""Figures of `model bench` over time, one JSON object a line, and whether a stage got slower than it was.

Ratios to a peer are compared, not milliseconds: a busy or cooler machine moves both.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pixsearch.apps.provenance import bundle_hash, commit
from pixsearch.contract.faults import Fault

EARLIER = 5  # entries that the usual ratio is the median of
FACTOR = 1.3  # times the usual ratio that is still no regression
LEAST_RATIO = 0.02  # a stage below this share of the peer's time decides nothing
KEYS = ("date", "commit", "machine", "threads", "bundle", "bundle_hash", "figures")
Entry = dict[str, Any]


@dataclass(frozen=True)
class Slower:
    """A stage whose ratio to the peer grew."""

    stage: str
    ratio: float
    usual: float


def entry_of(result: Mapping[str, Any], bundle: Path, now: datetime | None = None) -> Entry:
    """A result of `bench` as the history keeps it. bundle : its folder"""
    known = ("machine", "threads", "bundle")
    return {
        "date": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "commit": commit(),
        **{key: result[key] for key in known},
        "bundle_hash": bundle_hash(bundle),
        "figures": {key: value for key, value in result.items() if key not in known},
    }


def read_history(path: Path) -> list[Entry]:
    """All entries, oldest first; none where there is no file. Raises Fault for a line that is none."""
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            ratios(entry["figures"])
            entries.append({key: entry[key] for key in KEYS})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Fault(f"history {path}, line {number}", expected=f"an object with {', '.join(KEYS)}",
                        actual=line[:60], remedy="remove the line") from error
    return entries


def append_entry(path: Path, entry: Entry) -> None:
    """Add an entry, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def ratios(figures: Mapping[str, Any]) -> dict[str, float]:
    """Ratio to the peer of every stage and of whole questions; without those that have none."""
    rows = {**figures["stages"], "ask": figures["ask"]}
    return {name: float(row["ratio"]) for name, row in rows.items() if row["ratio"] is not None}


def slower(entry: Entry, history: Sequence[Entry], factor: float = FACTOR) -> list[Slower] | None:
    """Stages whose ratio is beyond `factor` times the median of the last entries, the worst first.

    Only entries of the same machine and threads count; None where there is no such entry.
    """
    alike = [ratios(one["figures"]) for one in history
             if (one["machine"], one["threads"]) == (entry["machine"], entry["threads"])][-EARLIER:]
    if not alike:
        return None
    found = []
    for stage, ratio in ratios(entry["figures"]).items():
        before = [one[stage] for one in alike if stage in one]
        if before and ratio > max(LEAST_RATIO, factor * (usual := float(np.median(before)))):
            found.append(Slower(stage, ratio, usual))
    return sorted(found, key=lambda one: one.ratio / max(one.usual, LEAST_RATIO), reverse=True)


def check(entry: Entry, history: Sequence[Entry], peer: str, factor: float = FACTOR) -> str | None:
    """Raise Fault where a stage got slower, or nothing can be compared; returns a remark where nothing was yet.

    peer : name of what ratios are to
    """
    if not ratios(entry["figures"]):
        raise Fault("check", expected=f"the peer {peer} timed beside", actual="no ratios",
                    remedy="pip install 'pixsearch[export]'")
    found = slower(entry, history, factor)
    if found is None:
        return "check: no earlier entry of this machine and as many threads; nothing to compare with yet"
    if found:
        worst, others = found[0], ", ".join(one.stage for one in found[1:])
        raise Fault(f"stage {worst.stage}",
                    expected=f"at most {factor:g} times its usual {worst.usual:.3f} of {peer}",
                    actual=f"{worst.ratio:.3f}" + (f" (slower too: {others})" if others else ""),
                    remedy="find what made it slower; without --check the figures are kept as they are")
    return None
