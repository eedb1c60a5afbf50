"""Pictures from outside: read with bounds, turned upright, as plain 8-bit RGB."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pixsearch.contract.faults import Fault

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 200_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "GIF": ".gif", "TIFF": ".tif"}
WHITE = (255, 255, 255, 255)

# Pillow refuses above twice this figure and warns from it on; `_decode` refuses there, so a warning is noise.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Pixels = NDArray[np.uint8]


def read_image(source: Path | bytes, name: str | None = None) -> Pixels:
    """Read a picture as uint8 RGB, shape (H, W, 3), EXIF orientation applied, transparent parts white.

    source : a file, or its content; JPEG, PNG, WebP, BMP, TIFF or GIF (first frame)
    name   : what faults call a `source` given as bytes
    Raises Fault for a file that is missing, empty, truncated, of another format, over 200 MB or over 100 MP.
    """
    return read_image_with_alpha(source, name)[0]


def read_image_with_alpha(source: Path | bytes, name: str | None = None) -> tuple[Pixels, Pixels | None]:
    """Read a picture as `read_image` does, and its opacity: uint8, shape (H, W); None when all is opaque."""
    title = name or (str(source) if isinstance(source, Path) else "image")
    content = read_image_file(source, title)
    try:
        image = _decode(content, title)
        return _to_rgb(image, title)
    except Fault:
        raise
    except Exception as error:  # Pillow's decoders let many kinds of exception through on broken input
        raise _unreadable(title, error) from error


def read_image_file(source: Path | bytes, title: str | None = None) -> bytes:
    """The undecoded content of a picture file. Raises Fault for what is missing, empty, no file or over 200 MB."""
    title = title or (str(source) if isinstance(source, Path) else "image")
    if isinstance(source, Path):
        try:
            if not source.is_file():
                actual = "something else" if source.exists() else "no such file"
                raise Fault(f"image {title}", expected="a file", actual=actual, remedy="check the path")
            with source.open("rb") as stream:
                source = stream.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Fault(f"image {title}", expected="a readable file", actual=reason,
                        remedy="check the path and its permissions") from error
    if not source:
        raise Fault(f"image {title}", expected="a picture", actual="an empty file",
                    remedy="give another file")
    if len(source) > MAX_FILE_BYTES:
        raise Fault(f"image {title}", expected=f"at most {MAX_FILE_BYTES // 10**6} MB", actual="more",
                    remedy="save it smaller")
    return source


def picture_suffix(content: bytes) -> str:
    """The file name ending for a picture's content, such as ".jpg"; ".bin" for none of the formats."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return SUFFIXES.get(image.format or "", ".bin")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ".bin"


def _decode(content: bytes, title: str) -> Image.Image:
    """Check the header, and only then decode the first frame."""
    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        numbers = re.findall(r"\d+", str(error))
        raise _too_large(title, f"{numbers[0]} pixels" if numbers else "more") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(title, f"{width} x {height}")
    image.load()
    upright = ImageOps.exif_transpose(image)
    return upright if upright is not None else image


def _to_rgb(image: Image.Image, title: str) -> tuple[Pixels, Pixels | None]:
    """Convert any mode that the formats give to RGB and opacity."""
    if image.mode.startswith("I"):
        image = _eight_bit(image, title)
    elif image.mode == "F":
        raise Fault(f"image {title}", expected="8 or 16 bits a channel", actual="floating point",
                    remedy="save it as an 8-bit PNG")
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    image = image.convert("RGBA")
    alpha = np.array(image.getchannel("A"))
    if alpha.min() == 255:
        return np.array(image.convert("RGB")), None
    on_white = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    return np.array(on_white.convert("RGB")), alpha


def _eight_bit(image: Image.Image, title: str) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips at 255 and gives a white picture."""
    values = np.array(image)
    if values.min() < 0 or values.max() > 65535:
        raise Fault(f"image {title}", expected="8 or 16 bits a channel", actual="32 bits",
                    remedy="save it as an 8-bit PNG")
    return Image.fromarray((values.astype(np.uint32) // 257).astype(np.uint8))


def _too_large(title: str, actual: str) -> Fault:
    return Fault(f"image {title}", expected=f"at most {MAX_PIXELS // 10**6} million pixels", actual=actual,
                 remedy="scale it down")


def _unreadable(title: str, error: Exception) -> Fault:
    actual = "no picture" if isinstance(error, UnidentifiedImageError) else f"broken data ({error})"
    return Fault(f"image {title}", expected=f"a whole picture ({', '.join(FORMATS)})", actual=actual,
                 remedy="give another file, or save it again as PNG")
