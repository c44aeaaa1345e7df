"""Arrays to PNG files: digits in ink, and activations in colours."""

import io
import math

import numpy as np
from PIL import Image

# Blue-black ink on nothing: the paper shows through, and the stylesheet inverts it for the dark.
INK, RED = (27, 38, 89), (184, 31, 36)
# Colours with a meaning are never inverted: these stand out from light paper and from dark.
POSITIVE, NEGATIVE = (70, 116, 240), (224, 62, 58)
GAP = 2


def digits(pixels: np.ndarray) -> bytes:
    """Images, uint8 (n, h, w), in one row, as ink of that strength."""
    page = sheet(pixels, len(pixels))
    return _coloured(np.broadcast_to(INK, (*page.shape, 3)), page)


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, h, w) laid out row by row in one array, with a gap of zeros between them."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    padded = np.pad(images, ((0, rows * columns - count), (0, GAP), (0, GAP)))
    page = padded.reshape(rows, columns, *padded.shape[1:]).swapaxes(1, 2)
    return page.reshape(rows * (height + GAP), columns * (width + GAP))[:-GAP, :-GAP]


def strip(values: np.ndarray) -> np.ndarray:
    """Values (n,) folded into a band about eight times as wide as high."""
    columns = min(len(values), 2 ** math.ceil(math.log2(math.sqrt(len(values) * 8))))
    rows = math.ceil(len(values) / columns)
    return np.pad(values, (0, rows * columns - len(values))).reshape(1, rows, columns)


def channels(values: np.ndarray, columns: int, low: float, high: float) -> bytes:
    """Channels (n, h, w) in viridis, on one scale for all: dark at `low`, bright at `high`."""
    scaled = (values.astype(np.float32) - low) / ((high - low) or 1)
    shades = 1 + (scaled * 254).round().astype(np.uint8)  # 0 stays for the gaps: see-through
    image = Image.fromarray(sheet(shades, columns))
    image.putpalette(bytes(3) + viridis())
    return png(image, transparency=0)


def viridis() -> bytes:
    """Its 255 colours of three bytes each, from dark to bright."""
    from matplotlib import colormaps

    return (colormaps["viridis"](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(np.uint8).tobytes()


def weights(filters: np.ndarray, columns: int) -> bytes:
    """Filters (n, h, w): positive weights in blue, negative ones in red, zero see-through."""
    page = sheet(filters / (np.abs(filters).max() or 1), columns)
    return _coloured(np.where(page[..., None] > 0, POSITIVE, NEGATIVE), (np.abs(page) * 255).round())


def support(pixels: np.ndarray, maps: np.ndarray) -> bytes:
    """A digit, uint8 (h, w), in grey, beside itself once for each of `maps` (n, h, w) in -1..1: blue lies on
    what speaks for a label, red on what speaks against it."""
    grey, colour = sheet(np.repeat(pixels[None], len(maps), 0), len(maps)) / 510, sheet(maps, len(maps))
    strength = np.abs(colour)
    alpha = strength + grey * (1 - strength)
    mixed = (np.where(colour[..., None] > 0, POSITIVE, NEGATIVE) * strength[..., None]
             + 128 * (grey * (1 - strength))[..., None]) / np.maximum(alpha, 1e-6)[..., None]
    return _coloured(mixed.round(), (alpha * 255).round())


def png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def _coloured(colours: np.ndarray, strength: np.ndarray) -> bytes:
    return png(Image.fromarray(np.dstack([colours, strength]).astype(np.uint8)))
