"""Plots as SVG for a web page: text stays text, and colours are the page's own."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

SERIES_COLOURS = 8
MARKERS = "os^DvP*X"
MARKER_SIGNS = "●■▲◆▼✚★✖"

# Stand-ins for colours that the page's style gives.
_INK = "#010101"
_PAGE = "#fefefe"
_BASELINE = "#010102"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "axes.grid": True,
    "axes.axisbelow": True,
}

History = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Point:
    """A method in a plot: `index` chooses colour and marker; None is a baseline's grey."""

    label: str
    index: int | None
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    area: float = 60.0


@dataclass(frozen=True)
class Spread:
    """A method's gains: one a reference, their mean, and its interval where there is one."""

    label: str
    index: int | None
    gains: Sequence[float]
    mean: float
    low: float | None
    high: float | None


def curves(
    name: str,
    metric: str,
    histories: Mapping[int, History],
    *,
    title: str,
    identity: float | None,
    logarithmic: bool,
) -> str:
    """Return learning curves on common axes: validation solid, training dashed.

    Args:
        name: a name for the plot that no other on the page has.
        metric: a key of the histories; with `val_` before it, that of validation.
        histories: for each series the dictionaries of its epochs.
        title: stands above, and is what a screen reader reads.
        identity: what doing nothing gives, a dotted line.
        logarithmic: whether the values are drawn on a logarithmic axis, if all are positive.
    """
    with _styled(name):
        figure, axes = _figure(4.2, 3.1)
        drawn = [] if identity is None else [identity]
        for index, history in histories.items():
            for key, style, width in ((metric, (0, (3, 2)), 1.0), (f"val_{metric}", "solid", 1.8)):
                rows = [row for row in history if math.isfinite(row.get(key, math.nan))]
                marker = _marker(index) if len(rows) < 12 else None
                axes.plot(
                    [row["epoch"] for row in rows],
                    [row[key] for row in rows],
                    color=_colour(index),
                    linestyle=style,
                    linewidth=width,
                    marker=marker,
                    markersize=5,
                )
                drawn += [row[key] for row in rows]
        if identity is not None:
            axes.axhline(identity, color=_INK, linestyle=":", linewidth=1.4)
        if logarithmic and drawn and min(drawn) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:.3g}")
            spread = max(drawn) / min(drawn)
            if spread >= 3:
                subs = (2, 5) if spread >= 10 else (2, 3, 5, 7)
                axes.yaxis.set_minor_locator(LogLocator(subs=subs))
            axes.yaxis.set_minor_formatter("{x:.2g}" if spread < 1000 else NullFormatter())
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        return _svg(figure, name, title)


def quality_against_cost(
    name: str,
    points: Sequence[Point],
    *,
    title: str,
    cost: str,
    unit: str,
    quality: str,
    identity: float,
) -> str:
    """Return a plot of quality against cost, the latter on a logarithmic axis.

    Args:
        name: a name for the plot that no other on the page has.
        points: the methods; `x` is the cost, above 0.
        title: what a screen reader reads, and what stands above.
        cost: the title of the horizontal axis.
        unit: of the cost, as it follows a prefix: `s` in `10 ms`.
        quality: the title of the vertical axis.
        identity: the quality of doing nothing, a dotted line.
    """
    with _styled(name):
        figure, axes = _figure(4.6, 3.6)
        axes.set_xscale("log")
        costs = [point.x for point in points]
        axes.set_xlim(min(costs) / 8, max(costs) * 12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: engineering(x, unit)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axhline(identity, color=_INK, linestyle=":", linewidth=1.4)
        for point in points:
            colour = _colour(point.index)
            if point.low is not None and point.high is not None:
                axes.plot([point.x] * 2, [point.low, point.high], color=colour, linewidth=1.4)
            axes.scatter(
                [point.x],
                [point.y],
                s=point.area,
                marker=_marker(point.index),
                facecolor=_PAGE if point.index is None else colour,
                edgecolor=colour,
                zorder=3,
            )
        axes.margins(y=0.15)
        axes.set_xlabel(cost)
        axes.set_ylabel(quality)
        axes.set_title(title, fontsize=11, loc="left")
        _label(figure, axes, points, identity)
        return _svg(figure, name, title)


def gains(name: str, spreads: Sequence[Spread], *, title: str, axis: str) -> str:
    """Return each method's gains: a ring a reference, the mean, and a bar for its interval."""
    with _styled(name):
        longest = max(len(spread.label) for spread in spreads)
        figure, axes = _figure(5.0 + 0.08 * max(0, longest - 24), 0.9 + 0.36 * len(spreads))
        axes.axvline(0, color=_INK, linestyle=":", linewidth=1.4)
        for row, spread in enumerate(spreads):
            colour = _colour(spread.index)
            axes.scatter(
                spread.gains, [row] * len(spread.gains), s=26, facecolor="none", edgecolor=colour
            )
            if spread.low is not None and spread.high is not None:
                axes.plot([spread.low, spread.high], [row, row], color=colour, linewidth=2.2)
            axes.scatter([spread.mean], [row], s=46, marker="D", color=colour, zorder=3)
        axes.set_yticks(range(len(spreads)), [spread.label for spread in spreads])
        axes.set_ylim(len(spreads) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(axis)
        return _svg(figure, name, title)


def engineering(value: float, unit: str = "") -> str:
    """Return a number with three digits and the prefix of its thousand, as in `145 G`."""
    if value == 0:
        return f"0 {unit}".strip()
    prefixes = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
    exponent = min(max(3 * math.floor(math.log10(abs(value)) / 3 + 1e-12), -9), 15)
    mantissa = f"{value / 10**exponent:.3g}"
    if mantissa == "1e+03" and exponent < 15:
        exponent, mantissa = exponent + 3, "1"
    return f"{mantissa} {prefixes[exponent]}{unit}".strip()


@contextmanager
def _styled(name: str) -> Iterator[None]:
    with warnings.catch_warnings(), matplotlib.rc_context(_STYLE | {"svg.hashsalt": name}):
        # The browser has glyphs that the font measured with lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _colour(index: int | None) -> str:
    return _BASELINE if index is None else f"#0101{16 + index % SERIES_COLOURS:02x}"


def _marker(index: int | None) -> str:
    return "o" if index is None else MARKERS[index % len(MARKERS)]


def _label(figure: Figure, axes: Axes, points: Sequence[Point], identity: float) -> None:
    """Write each point's label where it covers no other label and no point, if there is room."""
    canvas: Any = figure.canvas
    canvas.draw()
    renderer = canvas.get_renderer()
    nothing = axes.annotate(
        "doing nothing",
        (0.01, identity),
        (0, -2),
        ("axes fraction", "data"),
        "offset points",
        va="top",
        fontsize=9,
    )
    nothing.set_in_layout(False)
    taken = [nothing.get_window_extent(renderer)]
    taken += [_box(axes, point) for point in points]
    bars = [
        _box(axes, point, point.low, point.high)
        for point in points
        if point.low is not None and point.high is not None
    ]
    _, height = axes.transData.transform((1, identity))
    bars.append(Bbox([[axes.bbox.x0, height - 1], [axes.bbox.x1, height + 1]]))
    for point in sorted(points, key=lambda p: (p.index is None, -p.y, p.x)):
        label = axes.annotate(
            point.label, (point.x, point.y), (0, 0), textcoords="offset points", fontsize=9
        )
        label.set_in_layout(False)
        best, fewest = (0.0, 0.0), math.inf
        away = math.sqrt(point.area) / 2 + 4
        for dx, dy in [(x, y) for y in (0.0, 9.0, -9.0, 18.0, -18.0) for x in (away, -away)]:
            label.set_position((dx, dy))
            label.set_horizontalalignment("left" if dx > 0 else "right")
            label.set_verticalalignment("center")
            box = label.get_window_extent(renderer)
            crossed = 2 * sum(box.overlaps(other) for other in taken)
            crossed += sum(box.overlaps(bar) for bar in bars)
            crossed += 9 * (not axes.bbox.containsx(box.x0) or not axes.bbox.containsx(box.x1))
            if crossed < fewest:
                best, fewest = (dx, dy), crossed
        label.set_position(best)
        label.set_horizontalalignment("left" if best[0] > 0 else "right")
        taken.append(label.get_window_extent(renderer))


def _box(axes: Axes, point: Point, low: float | None = None, high: float | None = None) -> Bbox:
    """Return where a point's mark lies, or its bar from `low` to `high`, in display units."""
    pixels_per_point = axes.figure.get_dpi() / 72
    half = math.sqrt(point.area) / 2 * pixels_per_point if low is None else 1.0
    left, bottom = axes.transData.transform((point.x, point.y if low is None else low))
    _, top = axes.transData.transform((point.x, point.y if high is None else high))
    beyond = half if low is None else 0.0
    return Bbox([[left - half, bottom - beyond], [left + half, top + beyond]])


def _svg(figure: Figure, name: str, title: str) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"#0101(1[0-9a-f])", lambda m: f"var(--series-{int(m[1], 16) - 15})", text)
    for stand_in, colour in ((_INK, "currentColor"), (_PAGE, "var(--page)")):
        text = text.replace(stand_in, colour)
    text = text.replace(_BASELINE, "var(--muted)")
    alternative = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    opening = f'<svg class="plot" role="img" aria-label="{alternative}"'
    text = re.sub(r'(<svg[^>]*?) width="[\d.]+pt"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", text, count=1)
    width = figure.get_figwidth() * 96
    return text.replace("<svg", f'{opening} style="max-width: {width:.0f}px"', 1)
