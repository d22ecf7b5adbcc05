"""Maps in a notebook."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

import abslrp


class Page(HTMLParser):
    """The elements of a page, with their attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.elements if name == tag]


def pixels(page):
    """The picture of a page, read by hand: RGB of 8 bits, without filters."""
    (attributes, _), = page.all("image")
    data = base64.b64decode(attributes["href"].split(",", 1)[1])
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        parts[kind] = content
        at += 12 + length
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def test_an_image_is_red_for_and_blue_against_with_values():
    relevance = np.zeros((1, 3, 2, 4))
    relevance[0, 0, 0, 1], relevance[0, 1, 0, 1], relevance[0, 2, 1, 3] = 1.5, 0.5, -2.0
    page = Page(abslrp.show(relevance, image=np.zeros((2, 4, 3)), scale=100)._repr_html_())
    picture = pixels(page).astype(int)
    assert tuple(picture[0, 1]) == (178, 24, 43) and tuple(picture[1, 3]) == (33, 102, 172)
    assert (picture[0, 0] == picture[0, 0, 0]).all()
    titles = [text for _, text in page.all("title")]
    assert len(titles) == 8 and "row 0, column 1: +2" in titles and "row 1, column 3: -2" in titles
    (svg, _), = page.all("svg")
    assert svg["role"] == "img" and "2 × 4" in svg["aria-label"]


def test_values_of_a_large_image_are_sums_of_patches():
    random = np.random.default_rng(0)
    relevance = random.normal(size=(1, 224, 200, 3))
    page = Page(abslrp.show(relevance).html)
    titles = [text for _, text in page.all("title")]
    assert len(titles) == 32 * 29
    total = sum(float(text.rsplit(":", 1)[1]) for text in titles)
    # Four digits of 928 numbers of about 12.
    assert abs(total - relevance.sum()) < 928 * 5e-3
    assert f"{relevance[0, :7, :7].sum():+.4g}" in titles[0]
    assert pixels(page).shape == (224, 200, 3)


def test_tokens_are_escaped_and_can_be_read():
    tokens = ["<script>alert(1)</script>", '"quoted"', "good", "bad", "neutral"]
    relevance = np.array([[[0.1, 0.1], [0.0, 0.05], [1.0, 2.0], [-3.0, 0.0], [0.0, 0.0]]])
    shown = abslrp.show(relevance, tokens=tokens, scale=100)
    assert "<script" not in shown.html
    spans = Page(shown.html).all("span")
    assert [text for _, text in spans] == tokens
    assert [attributes["title"] for attributes, _ in spans] == ["+0.2", "+0.05", "+3", "-3", "+0"]
    assert spans[1][0]["aria-label"] == '"quoted": +0.05'

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    # Any strength of either colour.
    for strength in np.linspace(-1, 1, 41):
        page = Page(abslrp.show([strength, 1.0], tokens=["a", "b"], scale=100).html)
        style = page.all("span")[0][0]["style"]
        background = luminance([int(c) for c in re.search(r"rgb\((\d+),(\d+),(\d+)\)", style).groups()])
        text = 0.0 if "color:#000" in style else 1.0
        light, dark = max(background, text), min(background, text)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (strength, style)


def test_a_row_is_a_table_by_weight():
    page = Page(abslrp.show([[0.5, -2.0]], row={"age <years>": 41, "height": "1.8 & more"}).html)
    assert [text for _, text in page.all("th")][3:] == ["height", "age <years>"]
    assert [text for _, text in page.all("td")] == ["1.8 & more", "-2", "41", "+0.5"]
    names = Page(abslrp.show([0.5, -2.0], row=["a", "b"]).html)
    assert [text for _, text in names.all("td")] == ["-2", "+0.5"]


def test_a_map_of_zeros_is_shown_and_what_does_not_fit_is_refused():
    assert (pixels(Page(abslrp.show(np.zeros((4, 4))).html)) == 255).all()
    for arguments in [
        dict(map=np.zeros((2, 3, 4, 4))),
        dict(map=np.zeros(4)),
        dict(map=np.full((4, 4), np.nan)),
        dict(map=np.zeros((2, 5)), tokens=["a"] * 5),
        dict(map=np.zeros(5), tokens=["a"] * 4),
        dict(map=np.zeros(5), row=["a"] * 4),
        dict(map=np.zeros(4), row=["a"] * 4, tokens=["a"] * 4),
        dict(map=np.zeros((4, 4)), scale=0),
    ]:
        with pytest.raises(abslrp.DataError):
            abslrp.show(**arguments)
