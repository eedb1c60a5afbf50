"""The questions of a clip: JSON lines that say when to ask what, read with bounds."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.edge.inputs import Point, check_question

MAX_BYTES = 1 << 20
KEYS = {"second", "question", "point"}


@dataclass(frozen=True)
class ClipQuestion:
    """What is asked at a moment of a clip; `point` is in pixels of the frame."""

    second: float
    question: str
    point: Point | None = None


def read_clip_questions(path: Path) -> list[ClipQuestion]:
    """Questions in order of time. Raises Fault that names the line of the first bad one."""
    if not path.is_file():
        raise Fault(
            f"questions {path}",
            expected="a file of JSON lines",
            actual="no such file",
            remedy="check the path",
        )
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Fault(
            f"questions {path}", expected=f"at most {MAX_BYTES} bytes", actual="more", remedy="split the file"
        )
    lines = content.decode("utf-8", "replace").splitlines()
    questions = [
        _question(f"{path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not questions:
        raise Fault(
            f"questions {path}",
            expected="at least one question",
            actual="none",
            remedy='add a line such as {"second": 1.5, "question": "What is this?"}',
        )
    return sorted(questions, key=lambda one: one.second)


def _question(place: str, line: str) -> ClipQuestion:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad_line(place, "a JSON object", str(error)) from error
    if not isinstance(row, dict):
        raise _bad_line(place, "a JSON object", type(row).__name__)
    if unknown := sorted(set(row) - KEYS):
        raise _bad_line(place, "only the keys second, question, point", repr(unknown[0]))
    if not isinstance(row.get("question"), str):
        raise _bad_line(place, '"question" as a string', repr(row.get("question")))
    if not (_is_number(row.get("second")) and row["second"] >= 0):
        raise _bad_line(place, '"second" as a number from 0', repr(row.get("second")))
    point = row.get("point")
    if point is not None and not (
        isinstance(point, list) and len(point) == 2 and all(map(_is_number, point))
    ):
        raise _bad_line(place, '"point" as [x, y]', repr(point))
    try:
        question = check_question(row["question"])
    except Fault as fault:
        raise _bad_line(place, fault.expected, fault.actual) from fault
    return ClipQuestion(
        float(row["second"]), question, None if point is None else (float(point[0]), float(point[1]))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad_line(place: str, expected: str, actual: str) -> Fault:
    return Fault(place, expected=expected, actual=actual[:120], remedy="mend the line")
