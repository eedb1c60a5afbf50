"""The loss curves of a run as a picture."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402


def plot_curves(log: Path, picture: Path) -> None:
    """Draw every loss and every validation figure of a run's log over its steps."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for axis, key, title in zip(axes, ("losses", "validation"), ("weighted training losses", "validation"),
                                strict=True):
        series: dict[str, list[tuple[int, float]]] = {}
        for record in records:
            for name, value in record.get(key, {}).items():
                series.setdefault(name, []).append((record["step"], value))
        for name, points in sorted(series.items()):
            axis.plot(*zip(*points, strict=True), label=name, marker="." if key == "validation" else None)
        axis.set(title=title, xlabel="step")
        if key == "losses" and series:
            axis.set_yscale("log")
        if series:
            axis.legend(fontsize=8)
    figure.savefig(picture, dpi=90)
    plt.close(figure)
