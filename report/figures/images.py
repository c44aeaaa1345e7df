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


def digit(pixels: np.ndarray) -> bytes:
    """One image, uint8 (h, w), as ink of that strength."""
    rgba = np.empty((*pixels.shape, 4), np.uint8)
    rgba[..., :3] = INK
    rgba[..., 3] = pixels
    return _png(Image.fromarray(rgba))


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, h, w) laid out row by row in one array, with a gap of zeros between them."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    page = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), images.dtype)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        page[top:top + height, left:left + width] = image
    return page


def strip(values: np.ndarray) -> np.ndarray:
    """Values (n,) folded into a band about eight times as wide as high."""
    columns = min(len(values), 2 ** math.ceil(math.log2(math.sqrt(len(values) * 8))))
    rows = math.ceil(len(values) / columns)
    return np.pad(values, (0, rows * columns - len(values))).reshape(1, rows, columns)


def sheet_size(shape: tuple[int, int, int], columns: int) -> tuple[int, int]:
    """The (width, height) of a sheet of (n, h, w) images."""
    count, height, width = shape
    rows = math.ceil(count / columns)
    return columns * (width + GAP) - GAP, rows * (height + GAP) - GAP


def channels(values: np.ndarray, columns: int, low: float, high: float) -> bytes:
    """Channels (n, h, w) in viridis, on one scale for all: dark at `low`, bright at `high`."""
    scaled = (values.astype(np.float32) - low) / ((high - low) or 1)
    shades = 1 + (scaled * 254).round().astype(np.uint8)  # 0 stays for the gaps: see-through
    image = Image.fromarray(sheet(shades, columns))
    image.putpalette(bytes(3) + viridis().tobytes())
    return _png(image, transparency=0)


def viridis() -> np.ndarray:
    """Its 255 colours, uint8 (255, 3), from dark to bright."""
    from matplotlib import colormaps

    return (colormaps["viridis"](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(np.uint8)


def weights(filters: np.ndarray, columns: int) -> bytes:
    """Filters (n, h, w): positive weights in blue, negative ones in red, zero see-through."""
    page = sheet(filters / (np.abs(filters).max() or 1), columns)
    rgba = np.empty((*page.shape, 4), np.uint8)
    rgba[..., :3] = np.where(page[..., None] > 0, POSITIVE, NEGATIVE)
    rgba[..., 3] = (np.abs(page) * 255).round()
    return _png(Image.fromarray(rgba))


def _png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()
