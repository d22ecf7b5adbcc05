"""Maps in a notebook: HTML that stands alone, without scripts and without anything from elsewhere."""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

# Red for, blue against, as `abslrp explain` draws it: told apart with every kind of colour blindness.
FOR, AGAINST = np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0])
# How many cells a side of an image has at most that say their values: each is an element of the page.
CELLS = 32
# The width of an image on the page, in pixels.
WIDTH = 320


class Shown:
    """A map as HTML, which notebooks show by themselves."""

    def __init__(self, body: str) -> None:
        self.html = f'<figure class="abslrp" style="margin:0;font-family:sans-serif">{body}</figure>'
        """The map as a fragment of HTML. What came from outside is escaped."""

    def _repr_html_(self) -> str:
        return self.html


def show(
    map: npt.ArrayLike,
    *,
    image: npt.ArrayLike | None = None,
    tokens: Sequence[str] | None = None,
    row: Mapping[str, Any] | Sequence[str] | None = None,
    scale: float = 99.5,
) -> Shown:
    """Shows the map of one sample: red for, blue against, and the numbers where the pointer is.

    Args:
        map: Relevance, of one sample. Of an image, [1, C, H, W], [1, H, W, C], without the batch, or [H, W]; it is summed
            over channels. Of tokens, [1, T], [1, T, D] or without the batch; it is summed over the last axis. Of a row,
            [1, F] or [F].
        image: The image, of the same forms, or [H, W, 3] as picture libraries have it; any range of numbers.
        tokens: The tokens, as text.
        row: The features: values by names, or names.
        scale: What has full colour: this percentile of the map's |R|. 100 is the largest.

    Returns:
        An object that notebooks show. Its `html` can be written to a file.

    Raises:
        DataError: The map is that of several samples, or does not fit what it is shown over.
    """
    if sum(what is not None for what in (image, tokens, row)) > 1:
        raise DataError("a map is shown over one of image, tokens and row")
    relevance = np.asarray(map, dtype=np.float64)
    if not np.isfinite(relevance).all():
        raise DataError("the map holds NaN or an infinity")
    if not 0 < scale <= 100:
        raise DataError("scale is a percentile above 0 and up to 100")
    if tokens is not None:
        return _tokens(_flat(relevance, len(tokens), "tokens"), tokens, scale)
    if row is not None:
        return _row(_flat(relevance, len(row), "features"), row, scale)
    return _image(relevance, None if image is None else np.asarray(image, dtype=np.float64), scale)


def _flat(relevance: npt.NDArray[np.float64], count: int, what: str) -> npt.NDArray[np.float64]:
    """One number for each of so many positions."""
    given = relevance.shape
    if relevance.ndim > 1 and relevance.shape[0] == 1:
        relevance = relevance[0]
    if relevance.ndim == 2 and relevance.shape[0] == count:
        relevance = relevance.sum(axis=1)
    if relevance.shape != (count,):
        raise DataError(f"there are {count} {what}, and the map is of shape {list(given)}")
    return relevance


def _plane(array: npt.NDArray[np.float64], what: str, mean: bool = False) -> npt.NDArray[np.float64]:
    """An image without batch and channels."""
    given = array.shape
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3:
        channels = 2 if array.shape[2] in (1, 3, 4) and array.shape[0] not in (1, 3) else 0
        array = array.mean(axis=channels) if mean else array.sum(axis=channels)
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"{what} is of shape {list(given)}, which is not that of one image")
    return array


def _full(relevance: npt.NDArray[np.float64], percent: float) -> float:
    """The |R| that has full colour: of the nearest rank, and the largest where that is 0."""
    values = np.sort(np.abs(relevance), axis=None)
    value = values[max(math.ceil(percent / 100 * values.size) - 1, 0)]
    return float(value or values[-1])


def _strength(relevance: Any, full: float) -> Any:
    return np.clip(relevance / full, -1, 1) if full > 0 else relevance * 0.0


def _colours(strength: npt.NDArray[np.float64], light: Any) -> npt.NDArray[np.uint8]:
    """Colours that vanish in what lies below where there is no relevance."""
    full = np.where(strength[..., None] > 0, FOR, AGAINST)
    share = np.sqrt(np.abs(strength))[..., None]
    below = np.asarray(light, dtype=np.float64)[..., None]
    return np.rint(below + (full - below) * share).astype(np.uint8)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A picture, [H, W, 3], as PNG (ISO/IEC 15948): 8 bits, RGB, rows without a filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _caption(relevance: npt.NDArray[np.float64], full: float) -> str:
    return (
        f'<figcaption style="font-size:small">red for, blue against; full colour is {full:.4g}; '
        f"Σ R = {relevance.sum():.4g}</figcaption>"
    )


def _image(relevance: npt.NDArray[np.float64], image: npt.NDArray[np.float64] | None, scale: float) -> Shown:
    plane = _plane(relevance, "the map")
    height, width = plane.shape
    light: Any = np.full(plane.shape, 255.0)
    if image is not None:
        grey = _plane(image, "the image", mean=True)
        if grey.shape != plane.shape:
            # A map of patches, or of a smaller input: the nearest pixel of the image.
            rows = np.arange(height) * grey.shape[0] // height
            columns = np.arange(width) * grey.shape[1] // width
            grey = grey[np.ix_(rows, columns)]
        span = float(np.ptp(grey)) or 1.0
        light = 160.0 + 95.0 * (grey - grey.min()) / span
    full = _full(plane, scale)
    picture = base64.b64encode(_png(_colours(_strength(plane, full), light))).decode()
    step = max(math.ceil(height / CELLS), math.ceil(width / CELLS), 1)
    cells = []
    for top in range(0, height, step):
        for left in range(0, width, step):
            patch = plane[top : top + step, left : left + step]
            rows, columns = patch.shape
            place = f"row {top}, column {left}" if step == 1 else (
                f"rows {top}–{top + rows - 1}, columns {left}–{left + columns - 1}"
            )
            cells.append(
                f'<rect x="{left}" y="{top}" width="{columns}" height="{rows}" fill="transparent">'
                f"<title>{place}: {patch.sum():+.4g}</title></rect>"
            )
    row, column = np.unravel_index(np.abs(plane).argmax(), plane.shape)
    label = (
        f"Relevance of an image of {height} × {width}: sum {plane.sum():.4g}, "
        f"largest {plane[row, column]:+.4g} at row {row}, column {column}"
    )
    return Shown(
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{WIDTH}" '
        f'height="{WIDTH * height / width:.0f}">'
        f'<image href="data:image/png;base64,{picture}" width="{width}" height="{height}" '
        f'style="image-rendering:pixelated"/>{"".join(cells)}</svg>' + _caption(plane, full)
    )


def _style(strength: float) -> str:
    """Background and text of a contrast that can be read (WCAG 2.2, 1.4.3: 4.5 to 1 at least)."""
    red, green, blue = (int(value) for value in _colours(np.array(strength), 255.0))
    # Relative luminance of sRGB, as WCAG defines it.
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red / 255, green / 255, blue / 255)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Where black and white contrast equally, each does by 4.58.
    text = "#000" if luminance > 0.179 else "#fff"
    return f"background:rgb({red},{green},{blue});color:{text}"


def _tokens(relevance: npt.NDArray[np.float64], tokens: Sequence[str], scale: float) -> Shown:
    full = _full(relevance, scale) if len(relevance) else 0.0
    words = [
        f'<span tabindex="0" title="{value:+.4g}" aria-label="{html.escape(str(token))}: {value:+.4g}" '
        f'style="{_style(float(_strength(value, full)))};padding:0 2px;border-radius:2px;white-space:pre-wrap">'
        f"{html.escape(str(token))}</span>"
        for token, value in zip(tokens, relevance)
    ]
    return Shown(f'<p style="line-height:1.8">{" ".join(words)}</p>' + _caption(relevance, full))


def _row(relevance: npt.NDArray[np.float64], row: Mapping[str, Any] | Sequence[str], scale: float) -> Shown:
    full = _full(relevance, scale) if len(relevance) else 0.0
    valued = hasattr(row, "items")
    features = list(row.items()) if isinstance(row, Mapping) or valued else [(name, None) for name in row]  # type: ignore[union-attr]
    lines = []
    for index in np.argsort(-np.abs(relevance), kind="stable"):
        name, value = features[index]
        shown = f"<td>{html.escape(str(value))}</td>" if valued else ""
        lines.append(
            f'<tr><th scope="row" style="text-align:left">{html.escape(str(name))}</th>{shown}'
            f'<td style="{_style(float(_strength(relevance[index], full)))};text-align:right">'
            f"{relevance[index]:+.4g}</td></tr>"
        )
    head = '<th scope="col">feature</th>' + ('<th scope="col">value</th>' if valued else "") + '<th scope="col">relevance</th>'
    return Shown(
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>" + _caption(relevance, full)
    )
