"""What understands and speaks, opened once and warm."""

from dataclasses import dataclass, field

from pixsearch.edge.voice.activity import Activity
from pixsearch.edge.voice.speech import Speech
from pixsearch.edge.voice.transcriber import Transcriber


@dataclass(frozen=True)
class Engines:
    """One session at a time may use them."""

    activity: Activity = field(default_factory=Activity)
    transcriber: Transcriber = field(default_factory=Transcriber)
    speech: Speech = field(default_factory=Speech)
