"""The sizing table multiplies measured rates, and nothing else."""

import json
from pathlib import Path

from click.testing import CliRunner

from pixsearch.apps.bench_engines import OurPack
from pixsearch.apps.index_sizing import sizing


def test_rows_are_the_measured_rates_times_their_size(tmp_path: Path) -> None:
    def result(regions: int, build_s: float | None) -> dict[str, object]:
        return {"regions": regions, "engines": {OurPack().name: {
            "file_bytes": 500 * regions, "memory_mb": 300 * regions / 1e6, "build_s": build_s}}}

    report = {"machine": "a machine", "seconds_a_view": 0.1, "results": [result(1000, 2.0), result(5000, None)]}
    (tmp_path / "index.json").write_text(json.dumps(report))
    done = CliRunner().invoke(sizing, ["--report", str(tmp_path / "index.json"), "-o", str(tmp_path / "sizing.md")])
    assert done.exit_code == 0
    page = (tmp_path / "sizing.md").read_text()
    assert "measured at 1,000 regions on a machine" in page
    assert "| 1,000,000,000 | 500 | 500.00 | 300.00 | 27,777.8 | 555.56 |" in page


def test_without_a_report_it_says_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(sizing, ["--report", str(tmp_path / "index.json"), "-o", str(tmp_path / "sizing.md")])
    assert done.exit_code == 1 and "make bench-index" in done.output
