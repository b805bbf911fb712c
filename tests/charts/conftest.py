"""One chart of every kind that the product draws, small enough to read."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from workbench.charts.spec import Band, Bars, Chart, Flow, Grid, Line, Points, Slices

DAYS = tuple(datetime(2026, 1, 5) + timedelta(days=day) for day in range(60))
WEEKS = tuple(datetime(2026, 1, 5) + timedelta(weeks=week) for week in range(8))
STEPS = ("user_joined", "first_message", "raid_joined", "wallet_connected")
USERS = (12345.0, 8204.0, 2310.0, 411.0)


def wave(day: int) -> float:
    return 420 + 60 * math.sin(day / 7 * 2 * math.pi) + 2 * day


def triangle(size: int) -> tuple[tuple[float | None, ...], ...]:
    def rate(row: int, column: int) -> float:
        return 1.0 if column == 0 else 0.42 * 0.86**column + 0.01 * (row % 3)

    return tuple(tuple(rate(row, c) if row + c < size else None for c in range(size)) for row in range(size))


TREND = Chart(
    title="Active users",
    marks=(Line(x=DAYS, y=tuple(wave(day) for day in range(60)), label="daily active"),),
    x_scale="time",
    y_label="people with any event that day",
    note="2026-01-05 to 2026-03-05, UTC · data version 42",
)
FORECAST = Chart(
    title="Messages a day, and the next four weeks",
    marks=(
        Band(
            x=DAYS[32:],
            low=tuple(wave(d) - 3 * (d - 30) for d in range(32, 60)),
            high=tuple(wave(d) + 3 * (d - 30) for d in range(32, 60)),
            label="80% interval",
        ),
        Line(x=DAYS[:32], y=tuple(None if day == 12 else wave(day) for day in range(32)), label="seen"),
        Line(x=DAYS[32:], y=tuple(wave(day) for day in range(32, 60)), label="expected", dashed=True),
        Points(x=(DAYS[20],), y=(610.0,), label="unusual"),
    ),
    x_scale="time",
    y_label="messages",
    note="The interval held 78% of the days in the backtest, against 80% nominal.",
)
FUNNEL = Chart(
    title="From joining to a wallet, within 7 days",
    marks=(
        Bars(
            x=STEPS,
            y=tuple(users / USERS[0] for users in USERS),
            low=(1.0, 0.655, 0.18, 0.03),
            high=(1.0, 0.674, 0.195, 0.037),
            annotations=("12,345", "8,204 · 66%", "2,310 · 28%", "411 · 18%"),
        ),
    ),
    y_label="share of people who joined",
    y_format="percent",
    note="Ordered, first to last within 7 days of joining; 320 people are still inside their window.",
)
SEGMENTS = Chart(
    title="The funnel by platform",
    marks=tuple(
        Bars(
            x=STEPS,
            y=tuple(share**step for step in range(4)),
            low=tuple(share**step * 0.93 for step in range(4)),
            high=tuple(min(share**step * 1.07, 1) for step in range(4)),
            label=name,
        )
        for name, share in {"discord": 0.6, "telegram": 0.45, "web": 0.3}.items()
    ),
    y_label="share of people who joined",
    y_format="percent",
)
VOLUME = Chart(
    title="Messages a week",
    marks=(
        Bars(x=WEEKS, y=(3200.0, 4100.0, 3900.0, 5200.0, 4800.0, 6100.0, 5900.0, 7400.0), label="messages"),
        Line(x=WEEKS, y=(3300.0, 3800.0, 4200.0, 4800.0, 5200.0, 5700.0, 6300.0, 7000.0), label="trend"),
    ),
    x_scale="time",
)
RETENTION = Chart(
    title="Weekly retention",
    marks=(
        Grid(
            rows=tuple(f"{week:%d %b %Y} · {900 - 37 * row}" for row, week in enumerate(WEEKS)),
            columns=tuple(f"week {week}" for week in range(8)),
            values=triangle(8),
            hatched=tuple(tuple(row + column == 7 for column in range(8)) for row in range(8)),
        ),
    ),
    x_label="weeks since joining",
    y_label="share of the cohort that came back",
    y_format="percent",
    note="Calendar weeks from Monday, UTC. Hatched weeks have not ended.",
)
PLATFORMS = Chart(
    title="Messages by platform",
    marks=(Slices(labels=("discord", "telegram", "twitter", "web"), values=(52310.0, 21544.0, 9820.0, 1203.0)),),
)
CALIBRATION = Chart(
    title="Does 30% mean 30%?",
    marks=(
        Line(x=(0.0, 1.0), y=(0.0, 1.0), label="perfect", dashed=True),
        Points(x=(0.05, 0.2, 0.4, 0.6, 0.85), y=(0.07, 0.18, 0.43, 0.55, 0.9), label="churn model"),
    ),
    x_scale="linear",
    x_label="predicted",
    y_label="happened",
    y_format="decimal",
)
WAITING = Chart(
    title="Time to the first message",
    marks=(Bars(x=("discord", "telegram", "web"), y=(340.0, 4320.0, 9100.0)),),
    y_label="median",
    y_format="seconds",
)
SANKEY = Chart(
    title="Where they go from the first event",
    marks=(
        Flow(
            nodes=("view", "help", "cart", "view", "(end)", "buy", "(end)"),
            links=((0, 2, 40.0), (0, 4, 20.0), (1, 3, 12.0), (1, 4, 3.0), (2, 5, 25.0), (2, 6, 15.0), (3, 6, 12.0)),
            columns=(0, 0, 1, 1, 1, 2, 2),
            headings=("0", "+1", "+2"),
        ),
    ),
    y_label="paths",
    x_label="steps from the first event",
)
GRAPH = Chart(
    title="From event to event",
    marks=(
        Flow(
            nodes=("(start)", "<b>view</b>", "cart $x^2$", "a very long name of an event indeed", "(end)"),
            links=((0, 1, 1.0), (1, 1, 0.25), (1, 2, 0.5), (2, 1, 0.4), (2, 3, 0.6), (3, 4, 1.0), (1, 4, 0.25)),
        ),
    ),
    y_label="share of what follows the event",
    y_format="percent",
)
LONELY = Chart(title="One link", marks=(Flow(nodes=("a", "b"), links=((0, 1, 1.0),)),))
NOWHERE = Chart(title="Nothing goes anywhere", marks=(Flow(nodes=("a", "b"), links=((0, 1, 0.0),), columns=(0, 1)),))
HOSTILE = Chart(
    title='<script>alert("x")</script> & $x^2$ \x00\x1b[31m ' + "very long " * 30,
    marks=(
        Bars(
            x=("<b>bold</b>", "$\\frac{1}{2}$", "emoji 🚀 字"),
            y=(1.0, 2.0, 3.0),
            label="]]>",
            annotations=("<i>", "$", "%s"),
        ),
        Bars(x=("<b>bold</b>", "a" * 300, "\u202etxt"), y=(3.0, 2.0, 1.0), label="' onload='alert(1)"),
    ),
    x_label="$",
    y_label="\n".join(["two", "lines"]),
    note="--> <!-- ]]> & " * 40,
)
MANY = Chart(
    title="Forty event types",
    marks=(Bars(x=tuple(f"event_type_number_{n}" for n in range(40)), y=tuple(float(50 - n) for n in range(40))),),
)
EMPTY = Chart(title="Nothing yet", marks=(Line(x=(), y=()),), x_scale="time", note="No events in this window.")
ALL_NAN = Chart(title="Only gaps", marks=(Line(x=DAYS[:2], y=(None, math.nan)),), x_scale="time")

CHARTS = {name.lower(): value for name, value in list(globals().items()) if isinstance(value, Chart)}


def pytest_generate_tests(metafunc):
    """Run a test that asks for `chart` with every chart of the catalogue."""
    if "chart" in metafunc.fixturenames:
        metafunc.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())


@pytest.fixture(scope="session")
def charts() -> SimpleNamespace:
    return SimpleNamespace(**CHARTS)
