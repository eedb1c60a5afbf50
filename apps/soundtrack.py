"""Spoken words for a recorded video: MP3 (MPEG-2 layer III) as a second track of the MP4 file that OpenCV wrote.

OpenCV writes pictures only, and a library that writes sound as well would be larger than what a demo may take. What is
added is one track of equal frames in one chunk, after the pictures (ISO/IEC 14496-12 and 14496-14).
"""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.edge.voice.audio import Samples

RATE = 24_000  # Hz; at this rate and bit rate all MP3 frames are of one size
BIT_RATE = 64_000
FRAME_SAMPLES = 576
FRAME_BYTES = FRAME_SAMPLES * BIT_RATE // (8 * RATE)  # 192
MP3_MPEG2 = 0x69  # object type of ISO/IEC 13818-3 sound
UNIT_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
MAX_MOVIE_BYTES = 64 << 20  # of the description at the end of a file


class Soundtrack:
    """What is said when; a later word ends an earlier one, as a new question does."""

    def __init__(self) -> None:
        self._said: list[tuple[float, Samples]] = []

    def say(self, second: float, pieces: Iterable[Samples]) -> None:
        """Add speech at 24 kHz from a second on; seconds never fall."""
        if sounds := list(pieces):
            self._said.append((second, np.concatenate(sounds)))

    def samples(self, seconds: float) -> Samples:
        """All of it, int16 (n,), as long as the video; empty when nothing was said."""
        whole = np.zeros(round(seconds * RATE) if self._said else 0, np.int16)
        for second, sound in self._said:
            start = round(second * RATE)
            whole[start:] = 0
            part = sound[: max(0, len(whole) - start)]
            whole[start : start + len(part)] = part
        return whole


def add_sound(path: Path, samples: Samples) -> None:
    """Add a track to an MP4 file, in place.

    samples : int16 (n,) at 24 kHz
    Raises Fault for a file of another layout.
    """
    frames = encode(samples)
    with path.open("r+b") as file:
        places = {kind: (start, size) for kind, start, size in _boxes(file)}
        start, size = places.get(b"moov", (0, 0))
        if start + size != path.stat().st_size or not 0 < size <= MAX_MOVIE_BYTES:
            raise Fault(f"video {path.name}", expected="an MP4 file that ends with its description",
                        actual="another layout", remedy="record without speech")
        file.seek(start)
        movie = file.read(size)
        file.seek(start)
        file.write(_box(b"mdat", frames))
        file.write(_with_track(movie, len(frames) // FRAME_BYTES, start + 8))
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def encode(samples: Samples) -> bytes:
    """MP3 frames of 192 bytes each."""
    import lameenc

    encoder = lameenc.Encoder()
    encoder.set_bit_rate(BIT_RATE // 1000)
    encoder.set_in_sample_rate(RATE)
    encoder.set_channels(1)
    encoder.silence()
    sound = bytes(encoder.encode(samples.tobytes()) + encoder.flush())
    return sound[: len(sound) // FRAME_BYTES * FRAME_BYTES]


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of the outermost boxes."""
    end, start = file.seek(0, os.SEEK_END), 0
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        if size < 8:
            return
        yield kind, start, size
        start += size


def _with_track(movie: bytes, count: int, offset: int) -> bytes:
    """The description of a movie with a track of `count` sound frames at `offset`."""
    header_size, kind = struct.unpack(">I4s", movie[8:16])
    header = bytearray(movie[8 : 8 + header_size])
    if kind != b"mvhd" or header[8] != 0:
        raise Fault("video", expected="a movie header of version 0", actual=f"{kind!r} of version {header[8]}",
                    remedy="record without speech")
    (scale,) = struct.unpack_from(">I", header, 20)
    (number,) = struct.unpack_from(">I", header, header_size - 4)
    struct.pack_into(">I", header, header_size - 4, number + 1)
    track = _track(number, count, offset, scale)
    return _box(b"moov", bytes(header), movie[8 + header_size :], track)


def _track(number: int, count: int, offset: int, scale: int) -> bytes:
    length = count * FRAME_SAMPLES
    header = _full(b"tkhd", 7, struct.pack(">5I8x4H", 0, 0, number, 0, length * scale // RATE, 0, 1, 0x0100, 0),
                   UNIT_MATRIX, bytes(8))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">4I2H", 0, 0, RATE, length, 0x55C4, 0)),  # of an undetermined language
        _full(b"hdlr", 0, struct.pack(">I4s12x", 0, b"soun"), b"speech\0"),
        _box(b"minf", _full(b"smhd", 0, bytes(4)),
             _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))), _samples(count, offset)),
    )
    return _box(b"trak", header, media)


def _samples(count: int, offset: int) -> bytes:
    """Where the frames are: one chunk, all of one size and length."""
    entry = _box(b"mp4a", struct.pack(">6xH8x4HI", 1, 1, 16, 0, 0, RATE << 16), _decoder())
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, struct.pack(">3I", 1, count, FRAME_SAMPLES)),
        _full(b"stsc", 0, struct.pack(">4I", 1, 1, count, 1)),
        _full(b"stsz", 0, struct.pack(">2I", FRAME_BYTES, count)),
        _full(b"stco", 0, struct.pack(">2I", 1, offset)),
    )


def _decoder() -> bytes:
    settings = struct.pack(">BBBBBHII", 0x04, 13, MP3_MPEG2, 0x15, 0, FRAME_BYTES, BIT_RATE, BIT_RATE)
    synchronised = struct.pack(">BBB", 0x06, 1, 2)
    stream = struct.pack(">BBHB", 0x03, 3 + len(settings) + len(synchronised), 0, 0)
    return _full(b"esds", 0, stream, settings, synchronised)


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    """A box with version 0 and flags."""
    return _box(kind, struct.pack(">I", flags), *parts)
