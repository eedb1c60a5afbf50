"""Reading pictures from outside: what they become, and which are refused."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from pixsearch.contract import images
from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image, read_image_with_alpha

RGB = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(("format", "options"), [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_keep_every_pixel(format: str, options: dict[str, object]) -> None:
    assert np.array_equal(read_image(encoded(Image.fromarray(RGB), format, **options)), RGB)


@pytest.mark.parametrize(("image", "expected"), [
    (Image.new("L", (4, 2), 200), (200, 200, 200)),
    (Image.new("1", (4, 2), 1), (255, 255, 255)),
    (Image.new("CMYK", (4, 2), (0, 255, 255, 0)), (255, 0, 0)),
    (Image.new("RGB", (4, 2), (9, 130, 77)).quantize(8), (9, 130, 77)),
    (Image.fromarray(np.full((2, 4), 51400, np.uint16)), (200, 200, 200)),
    (Image.new("LA", (4, 2), (60, 255)), (60, 60, 60)),
    (Image.new("RGBA", (4, 2), (10, 20, 30, 0)), (255, 255, 255)),
])
def test_every_mode_becomes_eight_bit_rgb(image: Image.Image, expected: tuple[int, ...]) -> None:
    pixels = read_image(encoded(image, "TIFF" if image.mode == "CMYK" else "PNG"))
    assert pixels.dtype == np.uint8 and pixels.shape == (2, 4, 3)
    assert (pixels == expected).all()


def test_first_frame_of_an_animation_is_read() -> None:
    frames = [Image.new("RGB", (4, 2), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read_image(content) == (255, 0, 0)).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    assert np.array_equal(read_image(encoded(Image.fromarray(RGB), "PNG", exif=exif)), np.rot90(RGB, -1))


def test_alpha_is_given_only_where_something_is_transparent() -> None:
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    assert read_image_with_alpha(encoded(Image.fromarray(np.dstack([RGB, alpha])), "PNG"))[1] is None
    alpha[3:9, 4:20] = 0
    rgb, read = read_image_with_alpha(encoded(Image.fromarray(np.dstack([RGB, alpha])), "PNG"))
    assert read is not None and np.array_equal(read, alpha)
    assert np.array_equal(rgb[alpha == 255], RGB[alpha == 255]) and (rgb[alpha == 0] == 255).all()


def test_palette_transparency_becomes_alpha() -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((1, 1), 1)
    alpha = read_image_with_alpha(encoded(image, "PNG", transparency=0))[1]
    assert alpha is not None and alpha.sum() == 255 and alpha[1, 1] == 255


@pytest.mark.parametrize(("content", "says"), [
    (b"", "an empty file"),
    (b"not a picture at all", "no picture"),
    (b"\x89PNG\r\n\x1a\n", "no picture"),
    (encoded(Image.fromarray(RGB), "PPM"), "no picture"),
    (encoded(Image.new("F", (4, 2), 0.5), "TIFF"), "floating point"),
    (encoded(Image.new("I", (4, 2), 1 << 20), "TIFF"), "32 bits"),
])
def test_what_is_no_plain_picture_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(Fault, match=says) as caught:
        read_image(content, "shot")
    assert "shot" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_truncated_pictures_are_refused(format: str) -> None:
    assert features.check("webp")
    content = encoded(Image.fromarray(RGB), format)
    for share in (0.1, 0.5, 0.8):
        with pytest.raises(Fault, match="broken data|no picture"):
            read_image(content[:int(len(content) * share)])


def bmp_header(width: int, height: int) -> bytes:
    """A bitmap that claims a size and holds no pixel."""
    return struct.pack("<2s6I2H6I", b"BM", 54, 0, 54, 40, width, height, 1, 24, *[0] * 6)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (60_000, 60_000)])
def test_huge_pictures_are_refused_before_decoding(width: int, height: int) -> None:
    with pytest.raises(Fault, match="100 million pixels"):
        read_image(bmp_header(width, height))
    with pytest.raises(Fault, match="broken data"):
        read_image(bmp_header(100, 100))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in ((tmp_path / "gone.png", "no such file"), (tmp_path, "something else"),
                       (tmp_path / "pipe", "something else"), (Path("a\0b"), "no such file|null")):
        with pytest.raises(Fault, match=says):
            read_image(path)


def test_files_over_the_size_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(RGB), "PNG"))
    assert np.array_equal(read_image(path), RGB)
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 100)
    with pytest.raises(Fault, match="got more; save it smaller"):
        read_image(path)
