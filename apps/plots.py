"""Plots of a report as SVG: text stays text, and the page stays one file."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

VERDICTS = {"accuracy": ("right", "#1fa69a"), "missing": ("does not know", "#c9ced3"),
            "hallucination": ("wrong", "#d1606e")}
INK, BLUE, ORANGE = "#5b6570", "#4c78a8", "#f0a030"


def drawn(width: float, height: float, draw: Callable[[Any], None]) -> str:
    """An SVG of `width` by `height` inches; `draw` is given its axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False,
             "axes.spines.right": False, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK,
             "xtick.color": INK, "ytick.color": INK, "svg.hashsalt": "pixsearch"}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg"):]


def verdict_bars(table: Mapping[str, Mapping[str, Any]]) -> str:
    """Shares of right, missing and wrong answers of each row of a table, with how many were asked."""

    def draw(axes: Any) -> None:
        names = list(table)[::-1]
        left = [0.0] * len(names)
        for metric, (label, colour) in VERDICTS.items():
            values = [table[name][metric] for name in names]
            axes.barh(names, values, left=left, color=colour, label=label, height=0.7)
            left = [one + value for one, value in zip(left, values, strict=True)]
        for at, name in enumerate(names):
            if "n" in table[name]:
                axes.text(1.01, at, f"{table[name]['n']}", va="center", fontsize=8)
        axes.set(xlim=(0, 1), xlabel="share of questions")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)

    return drawn(6.2, 1.1 + 0.28 * len(table), draw)


def paired_bars(table: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, str]) -> str:
    """Some metrics of each row side by side; `metrics`: by name, what each is called."""

    def draw(axes: Any) -> None:
        names, width = list(table), 0.8 / len(metrics)
        for at, ((metric, label), colour) in enumerate(zip(metrics.items(), (BLUE, ORANGE, INK), strict=False)):
            places = [place + (at - (len(metrics) - 1) / 2) * width for place in range(len(names))]
            axes.bar(places, [table[name].get(metric, 0.0) for name in names], width, color=colour, label=label)
        axes.set_xticks(range(len(names)), names)
        axes.set(ylim=(0, 1))
        axes.legend(frameon=False, loc="upper left")

    return drawn(6.2, 2.6, draw)


def reliability(bins: Sequence[tuple[float, float, int]], said: str, true: str) -> str:
    """What was predicted against what came true; the larger a dot, the more cases."""

    def draw(axes: Any) -> None:
        axes.plot((0, 1), (0, 1), color=INK, linewidth=0.8, linestyle="--")
        largest = max((count for *_, count in bins), default=1)
        axes.scatter([one for one, _, _ in bins], [one for _, one, _ in bins],
                     s=[15 + 200 * count / largest for *_, count in bins], color=BLUE, alpha=0.8)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=said, ylabel=true)

    return drawn(3.1, 2.9, draw)


def curve(points: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """A line through points."""

    def draw(axes: Any) -> None:
        axes.plot([one for one, _ in points], [one for _, one in points], color=BLUE)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=across, ylabel=up)

    return drawn(3.1, 2.9, draw)


def matrix(table: Mapping[str, Mapping[str, int]], down: str, across: str) -> str:
    """Counts in a grid, shaded by their share of the row."""

    def draw(axes: Any) -> None:
        names = list(table)
        shares = [[table[row][column] / max(1, sum(table[row].values())) for column in names] for row in names]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for at, row in enumerate(names):
            for to, column in enumerate(names):
                colour = "white" if shares[at][to] > 0.6 else INK
                axes.text(to, at, table[row][column], ha="center", va="center", color=colour)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=across, ylabel=down)

    return drawn(3.1, 2.9, draw)
