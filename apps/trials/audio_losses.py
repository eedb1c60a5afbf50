"""`python -m pixsearch.apps.trials.audio_losses`: microphone and loudspeaker are lost, and come back."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import click
import numpy as np
import psutil

from pixsearch.apps.console import Commands, json_option, print_json
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.sound_server import KINDS, Files, PulseAudio, Sound
from pixsearch.edge.voice.capture import Back, Capture, Lost
from pixsearch.edge.voice.player import Player, Utterance

RATE = 24_000
LIMIT_S = 10.0  # in which both must be back
NOTICED_S = 10.0  # in which a loss must be noticed
AWAY_S = (0.0, 0.5, 1.5)  # how long they stay away once that was noticed


class Trial:
    """Capture and player over devices that are lost."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._heard: Queue[object] = Queue()
        self._spoken: Queue[Utterance] = Queue()
        self._beep = (np.sin(np.arange(RATE // 5) / 9) * 3000).astype(np.int16)

    def run(self, losses: int, progress: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """So many losses, the kinds in turn; the first, which opens libraries, is not among those counted."""
        capture = Capture(self._sound.microphone, self._hear)
        player = Player(self._sound.loudspeaker, RATE, self._spoken.put)
        capture.start()
        player.start()
        recovered: list[float] = []
        failed: dict[str, int] = {}
        try:
            if self._wait_for(Back, LIMIT_S) is None:
                raise RuntimeError("the microphone never came")
            self._lose(player, KINDS[0], 0.0)
            before = _handles()
            for number in range(losses):
                kind = KINDS[number % len(KINDS)]
                took = self._lose(player, kind, AWAY_S[number // len(KINDS) % len(AWAY_S)])
                if took is None or took > LIMIT_S:
                    failed[kind] = failed.get(kind, 0) + 1
                else:
                    recovered.append(took)
                progress()
            after = _handles()
        finally:
            capture.close()
            player.close()
        return {"losses": losses, "recovered": len(recovered), "failed": failed,
                "recovered_p50_s": round(float(np.median(recovered)), 2) if recovered else None,
                "recovered_max_s": round(max(recovered), 2) if recovered else None,
                "leaked_threads": after[0] - before[0], "leaked_handles": after[1] - before[1]}

    def _lose(self, player: Player, kind: str, away_s: float) -> float | None:
        """Seconds until sound was heard and spoken again; None when that took too long, or was not noticed."""
        while not self._heard.empty():
            self._heard.get()
        self._sound.lose(kind)
        noticed = self._wait_for(Lost, NOTICED_S)
        time.sleep(away_s)
        self._sound.give_back(kind)
        began = time.monotonic()
        back = noticed is not None and self._wait_for(Back, LIMIT_S) is not None
        whole = False
        while not whole and time.monotonic() - began < LIMIT_S:
            player.say([self._beep])
            whole = bool(self._spoken.get(timeout=2 * LIMIT_S).whole)
        return time.monotonic() - began if back and whole else None

    def _hear(self, message: object) -> None:
        if isinstance(message, Lost | Back):
            self._heard.put(message)

    def _wait_for(self, kind: type, seconds: float) -> float | None:
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            try:
                if isinstance(self._heard.get(timeout=left), kind):
                    return time.monotonic() - began
            except Empty:
                break
        return None


def _handles() -> tuple[int, int]:
    """Threads and open files of this process, while the loudspeaker rests."""
    time.sleep(4.0)  # longer than it lingers
    process = psutil.Process()
    return process.num_threads(), process.num_fds()


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--losses", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--files", is_flag=True, help="Sound files instead of a PulseAudio server.")
@json_option
def main(losses: int, files: bool, as_json: bool) -> None:
    """Take microphone and loudspeaker away and give them back; exit status 1 when anything failed or leaked."""
    result = _run(losses, files)
    if as_json:
        print_json(result)
    else:
        for name, value in result.items():
            click.echo(f"{name:<18}{value}")
    sys.exit(result["recovered"] < losses or result["leaked_threads"] > 0 or result["leaked_handles"] > 0)


@needs_extra("voice")
def _run(losses: int, files: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="pixsearch-sound-") as folder:
        sound: Sound = Files() if files else PulseAudio(Path(folder))
        try:
            with click.progressbar(length=losses, label="losses", file=sys.stderr) as bar:
                result = Trial(sound).run(losses, lambda: bar.update(1))
        finally:
            sound.close()
    return {"devices": "files" if files else "PulseAudio through PortAudio", "machine": machine(), **result}


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.audio_losses")
