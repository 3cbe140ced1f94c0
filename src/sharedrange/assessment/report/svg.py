"""Small pieces of SVG: elements whose text is escaped, labels that wrap in any script.

Figures are written by hand rather than drawn by a plotting library, so that their text stays text: it can be read
aloud, searched, set in the reader's own fonts (Chinese, Korean, Cyrillic), and linked to the lineage.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

INK = "#1f2933"
SOFT = "#5f6b76"
RULE = "#c9ced3"
PAPER = "#ffffff"
TINT = "#f5f5f1"
# Okabe and Ito (2008), https://jfly.uni-koeln.de/color: told apart under every common colour blindness.
PARTY_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b07d00", "#56b4e9")
_MARGIN = 24.0  # around a figure that stands alone
_LINK = re.compile(r"</?a\b[^>]*>")
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)" width="100%"')
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Helvetica Neue', Arial, 'PingFang SC', 'Hiragino Sans', "
    "'Microsoft YaHei', 'Malgun Gothic', 'Noto Sans CJK SC', sans-serif"
)


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """An element. ``stroke_width=2`` becomes ``stroke-width="2"``; None is left out; floats keep one decimal.

    Examples
    --------
    >>> element("text", "a < b", x=1.26, text_anchor="end")
    Markup('<text x="1.3" text-anchor="end">a &lt; b</text>')
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(children)
    return Markup(f"<{tag}{pairs}>{inside}</{tag}>") if inside else Markup(f"<{tag}{pairs}/>")  # noqa: S704  (every part is escaped above)


def _attribute(value: object) -> str:
    return _short(value) if isinstance(value, float) else str(value)


def _short(value: float) -> str:
    """One decimal at most; never minus zero."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def figure(width: float, height: float, title: str, *children: str) -> Markup:
    """A whole SVG with its title for those who cannot see it."""
    return element(
        "svg",
        element("title", title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        width="100%",
        role="group",
        aria_label=title,
        font_family=FONT,
        font_size=12,
        fill=INK,
    )


def standing_alone(figure: str) -> str:
    """A figure of a report as a file of its own: white ground, a margin, its own size, no links.

    Raises ValueError for what is no whole figure.
    """
    size = _SIZE.search(figure)
    if size is None:
        raise ValueError("the figure has no size")
    width, height = (float(length) + 2 * _MARGIN for length in size.groups())
    corner = f"{-_MARGIN:g} {-_MARGIN:g}"
    box = f'viewBox="{corner} {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    ground = f'<rect x="{-_MARGIN:g}" y="{-_MARGIN:g}" width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    alone = _LINK.sub("", _SIZE.sub(box, figure))
    return alone.replace("</title>", f"</title>{ground}", 1) + "\n"


def label(x: float, y: float, words: str, **attributes: object) -> Markup:
    """Text whose baseline is at `y`."""
    return element("text", words, x=x, y=y, **attributes)


def lines(x: float, y: float, rows: Iterable[str], leading: float = 15.0, **attributes: object) -> Markup:
    """Rows of text below each other; `y` is the first baseline."""
    return Markup("").join(label(x, y + i * leading, row, **attributes) for i, row in enumerate(rows))


def rule(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": RULE, **attributes})


def link(step: str, *children: str, number: str = "") -> Markup:
    """A link to the lineage of a number."""
    return element("a", *children, href=f"#step-{step}", class_="n", data_number=number or None)


def wrap(words: str, width_em: float) -> list[str]:
    """`words` broken into rows of about `width_em` at spaces, or anywhere between ideographs.

    Examples
    --------
    >>> wrap("mask clipped at the border", 8)
    ['mask clipped', 'at the border']
    """
    rows: list[str] = []
    row = ""
    for piece in _pieces(words):
        if row.strip() and advance_em(row + piece.rstrip()) > width_em:
            rows.append(row.rstrip())
            row = piece.lstrip()
        else:
            row += piece
    return [*rows, row.rstrip()] if row.strip() else rows


def _pieces(words: str) -> list[str]:
    """Where a row may break: after spaces, and after every wide character."""
    pieces, piece = [], ""
    for character in words:
        piece += character
        if character == " " or _is_wide(character):
            pieces.append(piece)
            piece = ""
    return [*pieces, piece]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def advance_em(words: str) -> float:
    """Width of a text in a sans serif, in ems, about."""
    return sum(1.0 if _is_wide(c) else 0.54 for c in words)  # 0.54 em: mean advance of a Latin sans serif


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart.

    Examples
    --------
    >>> ticks(0, 87)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    step = nice_step((high - low) / about)
    first = int(-(-low // step))
    return [round(i * step, 10) for i in range(first, int(high // step) + 1)]


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `rough`."""
    power = 1.0
    while power < rough:
        power *= 10
    while power / 10 >= rough:
        power /= 10
    return next(power * share for share in (0.1, 0.2, 0.5, 1.0) if power * share >= rough * (1 - 1e-9))
