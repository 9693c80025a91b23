"""The table: rows with two figures, their ratio and a goal; as JSON and as Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

PACKAGES = ("myna", "ctranslate2", "faster-whisper", "onnxruntime", "piper-tts", "av", "numpy")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a row has to keep."""

    limit: float
    of: Literal["ratio", "difference", "value"] = "ratio"
    """What is bounded: first figure over second, first less second, or the first alone."""
    at_least: bool = False

    def met(self, row: Row) -> bool | None:
        """Whether `row` keeps it; None where it has no such figure."""
        figure = {"ratio": row.ratio, "difference": row.difference, "value": row.median}[self.of]
        if figure is None:
            return None
        return figure >= self.limit if self.at_least else figure <= self.limit

    def text(self, unit: str) -> str:
        """For the table."""
        sign = "≥" if self.at_least else "≤"
        if self.of == "ratio":
            return f"{sign} {self.limit:g} ×"
        if self.of == "difference":
            return f"{sign} {self.limit:+g} {unit}"
        return f"{sign} {self.limit:g} {unit}"


@dataclass(slots=True)
class Row:
    """One measure."""

    name: str
    unit: str
    figures: Sequence[float]
    """Of the server that is measured: one per repetition, or per round."""
    against: str = ""
    """What the other figures are of."""
    others: Sequence[float] = ()
    goal: Goal | None = None
    n: int | None = None
    """Requests behind the figures; without it, how many figures there are."""
    note: str = ""

    @property
    def median(self) -> float | None:
        """Of the figures."""
        return statistics.median(self.figures) if self.figures else None

    @property
    def other_median(self) -> float | None:
        """Of the others."""
        return statistics.median(self.others) if self.others else None

    @property
    def ratio(self) -> float | None:
        """The medians' ratio."""
        if self.median is None or not self.other_median:
            return None
        return self.median / self.other_median

    @property
    def difference(self) -> float | None:
        """The medians' difference."""
        if self.median is None or self.other_median is None:
            return None
        return self.median - self.other_median

    @property
    def subtracted(self) -> bool:
        """Whether the figures' difference says more than their ratio."""
        return self.unit.startswith("%") or bool(self.goal and self.goal.of == "difference")

    @property
    def met(self) -> bool | None:
        """Whether the goal is kept; None where there is no goal or no figure."""
        return self.goal.met(self) if self.goal else None

    @property
    def count(self) -> int:
        """How many measurements the figures rest on."""
        return self.n if self.n is not None else len(self.figures)

    def as_json(self) -> dict[str, Any]:
        """Everything, single figures included."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "against": self.against,
            "other_median": self.other_median,
            "ratio": self.ratio,
            "difference": self.difference,
            "goal": self.goal.text(self.unit) if self.goal else None,
            "met": self.met,
            "n": self.count,
            "note": self.note,
            "figures": list(self.figures),
            "others": list(self.others),
        }

    def as_cells(self) -> list[str]:
        """For a Markdown table."""
        compared = "" if self.ratio is None else f"{figure(self.ratio)} ×"
        if self.subtracted and self.difference is not None:
            compared = f"{self.difference:+.2f}"
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        goal = self.goal.text(self.unit) if self.goal else ""
        name = f"{self.name} ({self.note})" if self.note else self.name
        cells = [name, self.unit, figure(self.median), self.against, figure(self.other_median)]
        return [*cells, compared, goal, met, str(self.count)]


def figure(value: float | None) -> str:
    """Three digits or so."""
    if value is None:
        return ""
    size = abs(value)
    digits = 0 if size >= 100 or value == 0 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns lined up."""
    grid = [[cell.replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    widths = [max(3, *(len(row[column]) for row in grid)) for column in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(grid[0]), rule, *(line(row) for row in grid[1:])])


@dataclass
class Report:
    """Rows as they come, written anew after each scenario so that nothing is lost."""

    subject: str
    path: Path
    """Without suffix; `.json` and `.md` are written."""
    facts: dict[str, str]
    rows: list[Row] = field(default_factory=list[Row])
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    """For the JSON file only."""
    extra: list[str] = field(default_factory=list[str])
    """Further sections of Markdown."""

    def add(self, row: Row) -> None:
        """Take a row, and show it."""
        self.rows.append(row)
        name, unit, own, against, other, compared, goal, met, _ = row.as_cells()
        beside = f"; {against} {other}, {compared}" if against else ""
        aim = f" (goal {goal}: {met})" if goal else ""
        print(f"  {name}: {own} {unit}{beside}{aim}", file=sys.stderr, flush=True)

    def markdown(self) -> str:
        """The whole report."""
        facts = "\n".join(f"- {name}: {value}" for name, value in self.facts.items())
        headings = (
            "Measure",
            "Unit",
            self.subject,
            "Against",
            "Its figure",
            "Ratio or difference",
            "Goal",
            "Met",
            "n",
        )
        rows = table(headings, [row.as_cells() for row in self.rows])
        return "\n\n".join([facts, rows, *self.extra]) + "\n"

    def write(self) -> None:
        """Both files, each replaced in one step."""
        data = {
            "facts": self.facts,
            "subject": self.subject,
            "rows": [row.as_json() for row in self.rows],
            "details": self.details,
        }
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        for suffix, content in ((".json", text), (".md", self.markdown())):
            half = self.path.with_suffix(".tmp")
            half.write_text(content, encoding="utf-8")
            half.replace(self.path.with_suffix(suffix))


def machine_facts() -> dict[str, str]:
    """What figures depend on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    installed = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {cores} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}, "
        f"Python {platform.python_version()}",
        "versions": ", ".join(installed),
        "commit": _commit(),
        "load before": load_average(),
    }


def load_average() -> str:
    """Over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.0f} GiB"


def _commit() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
