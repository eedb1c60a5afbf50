"""`python -m pixsearch.apps.trials.tracking`: how well a region is followed through clips whose masks are known."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.console import Commands, bundle_option, json_option, print_json
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.rendered import FACES, FPS, SECONDS, Shot, render
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.perception import Perception, Segment
from pixsearch.edge.tracking import RegionTracker

SAME_IOU = 0.5  # mean over the last second from which it is the same thing
END_S = 1.0
GOOD_IOU, GOOD_IDENTITY = 0.6, 0.8

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Followed:
    """One clip. ious : of each frame after the first in which the thing is seen; wrong : masks while it is hidden"""

    ious: tuple[float, ...]
    last: float  # mean IoU over the last second
    hidden: int
    wrong: int
    update_ms: float


def follow(bundle: Bundle, shots: Iterable[Shot]) -> Followed:
    """Start from the true mask of the first frame, as benchmarks of video segmentation do, and follow it."""
    tracker: RegionTracker | None = None
    ious, ends, times, hidden, wrong = [], [], [], 0, 0
    for shot in shots:
        if tracker is None:
            tracker = RegionTracker(bundle, shot.frame, a_segment(bundle, shot.mask))
            continue
        perception = Perception(bundle, shot.frame)
        began = time.perf_counter()
        mask = tracker.update(perception).mask
        times.append(1000 * (time.perf_counter() - began))
        if not shot.mask.any():
            hidden, wrong = hidden + 1, wrong + (mask is not None)
            continue
        ious.append(iou(mask, shot.mask))
        if shot.second >= SECONDS - END_S:
            ends.append(ious[-1])
    return Followed(tuple(ious), mean(ends), hidden, wrong, median(times))


def iou(found: Mask | None, true: Mask) -> float:
    """Intersection over union; 0 for no mask."""
    return 0.0 if found is None else float((found & true).sum() / (found | true).sum())


def a_segment(bundle: Bundle, mask: Mask) -> Segment:
    """A mask as if the mask graph had found it without words."""
    empty = np.zeros((0, bundle.dimensions.width), np.float32)
    return Segment(mask, np.zeros((96, 96), np.float32), 1.0, np.zeros(0, np.int64), np.zeros(0, np.bool_), empty,
                   np.zeros((0, bundle.dimensions.region), np.float32), False)


def run_tracking(bundle: Bundle, clips: int, on_clip: Callable[[], None] = lambda: None,
                 first: int = 0) -> dict[str, Any]:
    """So many clips in which the thing stays in sight, and as many in which it is hidden for a second."""
    seen: dict[int, Followed] = {}
    hidden: dict[int, Followed] = {}
    for seed in range(first, first + clips):
        seen[seed] = follow(bundle, render(seed, hidden=False, twin=seed % 2 == 1))
        on_clip()
        hidden[seed] = follow(bundle, render(1000 + seed, hidden=True, twin=True))
        on_clip()
    kinds = {face: [mean(one.ious) for seed, one in seen.items() if FACES[seed % len(FACES)] == face] for face in FACES}
    return {"clips": 2 * clips, "fps": FPS, "seconds": SECONDS,
            "iou": round(mean(mean(one.ious) for one in seen.values()), 3),
            "iou_worst_clip": round(min(mean(one.ious) for one in seen.values()), 3),
            "iou_last_second": round(mean(one.last for one in seen.values()), 3),
            "clips_from_.6": round(mean(mean(one.ious) >= GOOD_IOU for one in seen.values()), 3),
            "iou_by_surface": {face: round(mean(ious), 3) for face, ious in kinds.items() if ious},
            "identity_kept": round(mean(one.last >= SAME_IOU for one in hidden.values()), 3),
            "masks_while_hidden": round(sum(one.wrong for one in hidden.values())
                                        / max(1, sum(one.hidden for one in hidden.values())), 3),
            "update_ms": round(median(one.update_ms for one in (*seen.values(), *hidden.values())), 1)}


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--clips", type=click.IntRange(min=1), default=20, show_default=True, help="Of each of the two kinds.")
@click.option("--first", type=click.IntRange(min=0), default=100, show_default=True, help="Seed of the first clip.")
@bundle_option
@json_option
def main(clips: int, first: int, bundle: Path | None, as_json: bool) -> None:
    """Follow things through rendered clips with known masks."""
    opened = Bundle.load(bundle or default_bundle())
    with click.progressbar(length=2 * clips, label="clips", file=sys.stderr) as bar:
        result = run_tracking(opened, clips, lambda: bar.update(1), first)
    result = {"machine": machine(), **result,
              "kept": result["iou"] >= GOOD_IOU and result["identity_kept"] >= GOOD_IDENTITY}
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        click.echo(f"{name:20} {value}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.tracking")
