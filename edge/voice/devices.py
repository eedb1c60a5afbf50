"""What the voice needs of a microphone and a loudspeaker; a device that fails raises OSError."""

from typing import Protocol

from pixsearch.edge.voice.audio import Samples


class Heard(Protocol):
    """An open microphone."""

    def read(self, wait_s: float) -> Samples | None:
        """The next frame, int16 (512,) at 16 kHz; None when none came in `wait_s`.

        Raises OSError when the device is lost, EOFError when there will be no more.
        """

    def close(self) -> None:
        """Let the device go, whatever state it is in."""


class Microphone(Protocol):
    """Where sound comes from."""

    name: str

    def open(self) -> Heard:
        """Raises OSError while there is no such device."""


class Spoken(Protocol):
    """An open loudspeaker."""

    latency_s: float  # from writing a sample to hearing it

    def write(self, samples: Samples) -> None:
        """Play int16 (n,); returns when the device has taken them. Raises OSError when it is lost."""

    def close(self) -> None:
        """Stop at once, whatever was not played yet."""


class Loudspeaker(Protocol):
    """Where sound goes."""

    name: str

    def open(self, rate: int) -> Spoken:
        """For one channel of int16 at `rate` Hz. Raises OSError while there is no such device."""
