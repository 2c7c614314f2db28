"""What people see: compact tables, in colour on a terminal and plain elsewhere. Local times only here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = ["Screens"]

_PLAIN_WIDTH = 118


class Screens:
    """Writes to a console; times are shown in the port's zone."""

    def __init__(self, zone: str, *, to_stderr: bool) -> None:
        plain = Console(stderr=to_stderr)
        width = None if plain.is_terminal else _PLAIN_WIDTH
        self.console = Console(stderr=to_stderr, width=width, highlight=False)
        self._zone = ZoneInfo(zone)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Say what takes a while; on a terminal only, and gone once it is done."""
        with self.console.status(what):
            yield

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[datetime], None]]:
        """A bar under the screens, on a terminal only; call what it gives with the time after each step."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        hidden = not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=hidden) as progress:
            task = progress.add_task("the day", total=total)
            yield lambda moment: progress.update(task, advance=1, description=self.clock(moment))

    def clock(self, moment: datetime) -> str:
        """`moment` as a local time of the day."""
        return moment.astimezone(self._zone).strftime("%H:%M")

    def moment(self, moment: datetime, title: str) -> None:
        """A new moment of the day."""
        local = moment.astimezone(self._zone).strftime("%a %d %b %H:%M")
        self.console.print()
        self.console.rule(f"[bold]{local}[/bold]  {title}", align="left")

    def say(self, text: str) -> None:
        """One sentence or two."""
        self.console.print(Text(text))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table under a title that says whose screen it is."""
        self.console.print(Text(title, style="bold"))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print(table)

    def card(self, title: str, lines: Iterable[str]) -> None:
        """What one person has on his own screen."""
        self.console.print(Panel(Text("\n".join(lines)), title=Text(title), title_align="left", expand=False))
