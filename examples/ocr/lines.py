"""Lines of text as the model sees them: 48 pixels high, RGB, from -1 to 1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 48
LINES = ("Drop a file here", "mbundle 0.1.0", "The quick brown fox", "Total: 1,234.56 EUR", "jumps over 13 dogs")


def rendered() -> Iterator[dict[str, np.ndarray]]:
    """A sample a line; their widths differ."""
    for line in LINES:
        yield {"x": image(line)}


def image(line: str) -> np.ndarray:
    """float32 [1, 3, 48, width]; the width is a multiple of 32."""
    font = ImageFont.load_default(size=30)  # the one that comes with Pillow: the same everywhere
    width = -(-(int(font.getlength(line)) + 24) // 32) * 32
    canvas = Image.new("RGB", (width, HEIGHT), "white")
    ImageDraw.Draw(canvas).text((12, 6), line, fill="black", font=font)
    return (np.asarray(canvas, np.float32).transpose(2, 0, 1) / 127.5 - 1)[None]
