"""Rows that are made one by one and kept as lines of JSON, so that what was interrupted goes on where it stopped."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Kept:
    """The rows of one file, in order. A row that was only half written is made again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        written = path.read_bytes() if path.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            path.write_bytes(whole)
        self.rows: list[Any] = [json.loads(line) for line in whole.splitlines()]

    def add(self, row: Any) -> None:
        """Keep one more row, on the disk before this returns."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.rows.append(row)

    def fill(self, count: int, make: Callable[[int], Any], label: str) -> list[Any]:
        """The first `count` rows; those that are missing are made by their numbers, with a progress bar."""
        if len(self.rows) < count:
            numbers = range(len(self.rows), count)
            with click.progressbar(numbers, label=label, file=sys.stderr, show_pos=True) as bar:
                for number in bar:
                    self.add(make(number))
        return self.rows[:count]
