"""Reads files of advertising costs: ours, GA4's cost import, Metrika's expenses, Direct's TSV.

Pure: bytes in, costs out. A file is taken whole or refused whole, with every problem named
by line and column. Delimiter, encoding, decimal mark and the words of the header are found
out from the file; where that would be a guess about money, it is refused instead.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from io import StringIO
from typing import TypeVar

from tracker import cost_cells, costs, sources
from tracker.cost_cells import Wrong
from tracker.costs import Cost
from tracker.errors import BadFile
from tracker.sources import Source

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_CELLS = 1_000_000  # days times sources; a range of days makes many of one row
MOST_PROBLEMS = 50  # named; the rest is counted
PREAMBLE = 5  # lines within which the header stands; reports may have a title first
MOST_COLUMNS = 200
TELL_EVERY = 5000  # rows

# By the header's cell in lower case, without blanks, dashes and underscores.
COLUMNS = {
    "date": "date",
    "source": "source",
    "utmsource": "source",
    "medium": "medium",
    "utmmedium": "medium",
    "campaignid": "campaign_id",
    "utmid": "campaign_id",
    "campaign": "campaign",
    "utmcampaign": "campaign",
    "campaignname": "campaign",
    "content": "content",
    "utmcontent": "content",
    "adid": "content",
    "term": "term",
    "utmterm": "term",
    "keyword": "term",
    "criterion": "term",
    "impressions": "impressions",
    "clicks": "clicks",
    "cost": "cost",
    "expenses": "cost",
    "currency": "currency",
}
REQUIRED = ("date", "source", "medium", "cost")
# Spelled like this only by Direct, whose reports tell neither source nor medium.
DIRECT_COLUMNS = {"CampaignId", "CampaignName", "AdGroupId", "AdId", "Criterion"}
DIRECT_LABELS = {"source": "yandex", "medium": "cpc"}
TOTALS = ("total rows:", "всего строк:")  # how the last line of Direct's reports begins

T = TypeVar("T")
Told = Callable[[int, int], None]  # rows that are read, and about how many there are


@dataclass(slots=True)
class _Problems:
    """Everything that is wrong with the file."""

    named: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, text: str, column: str = "") -> None:
        self.count += 1
        if len(self.named) < MOST_PROBLEMS:
            where = f"line {line}, column {column[:50]}" if column else f"line {line}"
            self.named.append(f"{where}: {text}")

    def check(self) -> None:
        """Raises BadFile if there was any."""
        more = self.count - len(self.named)
        if more:
            self.named.append(f"… and {more} more")
        if self.named:
            raise BadFile(self.named)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A file whose header is understood."""

    text: str
    delimiter: str
    line: int  # of the header
    titles: list[str]  # the header's cells
    columns: dict[str, int]  # where ours are among them
    constants: dict[str, str]  # what this kind of file says for every row

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The filled rows below the header, each with its line; raises BadFile."""
        for line, cells in _cells(self.text, self.delimiter):
            if line <= self.line or not any(cells):
                continue
            if not cells[0].lower().startswith(TOTALS):
                yield line, cells

    def cell(self, cells: Sequence[str], name: str) -> str:
        """The cell of one of our columns; empty when there is none."""
        if name in self.constants:
            return self.constants[name]
        place = self.columns.get(name)
        return cells[place] if place is not None and place < len(cells) else ""

    def title(self, name: str) -> str:
        """How the file itself calls the column."""
        return self.titles[self.columns[name]] if name in self.columns else name


def parse(
    data: bytes, *, currency: str, told: Told = lambda done, total: None
) -> list[Cost]:
    """The costs of a file by day and source; `currency` (ISO 4217) is the site's.

    Raises BadFile with every reason; nothing of a file with a problem is taken.
    """
    if len(data) > MOST_BYTES:
        raise BadFile([f"the file may have {MOST_BYTES >> 20} MB at most: split it"])
    return _Reading(_table(_decode(data)), currency.upper(), told).costs()


# The file and its header ------------------------------------------------------------------


def _decode(data: bytes) -> str:
    """UTF-8, UTF-16 with its mark (Excel's "Unicode text"), else windows-1251."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1251", "replace")


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Lines and their cells; raises BadFile where quotes do not match."""
    # A tab-separated report has quotes as part of its values, often an odd one.
    plain = delimiter == "\t"
    reader = csv.reader(
        StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL,
    )
    try:
        for cells in reader:
            yield (
                reader.line_num,
                [_bare(cell) if plain else cell.strip() for cell in cells],
            )
    except csv.Error as error:
        raise BadFile(
            [f"line {reader.line_num}: the row is broken ({error})"]
        ) from None


def _bare(cell: str) -> str:
    cell = cell.strip()
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _table(text: str) -> _Table:
    """Where the header is, and with which delimiter it says most to us; raises BadFile."""
    found = [
        _header(text, delimiter, line, cells)
        for delimiter in "\t;,"
        for line, cells in _beginning(text, delimiter)
    ]
    table = max(found, key=lambda one: len(one.columns), default=None)
    if table is None or not table.columns:
        raise BadFile([f"line 1: a header with {', '.join(REQUIRED)} must come first"])
    problems = _Problems()
    for name in REQUIRED:
        if name not in table.columns and name not in table.constants:
            problems.add(table.line, f"the column {name} is missing")
    for place, title in enumerate(table.titles):
        same = _name(title)
        if same and table.columns[same] != place:
            text = f"means the same as {table.title(same)}: leave one of them out"
            problems.add(table.line, text, title)
    problems.check()
    return table


def _beginning(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = text[: 256 * 1024].splitlines(keepends=True)[:PREAMBLE]
    try:
        yield from _cells("".join(lines), delimiter)
    except BadFile:
        return  # the quotes of a row that has not ended, or not this delimiter


def _header(text: str, delimiter: str, line: int, cells: list[str]) -> _Table:
    titles = cells[:MOST_COLUMNS]
    columns: dict[str, int] = {}
    for place, title in enumerate(titles):
        name = _name(title)
        if name is not None:
            columns.setdefault(name, place)
    of_direct = not DIRECT_COLUMNS.isdisjoint(titles)
    labelled = "source" in columns or "medium" in columns
    return _Table(
        text=text,
        delimiter=delimiter,
        line=line,
        titles=titles,
        columns=columns,
        constants=DIRECT_LABELS if of_direct and not labelled else {},
    )


def _name(title: str) -> str | None:
    return COLUMNS.get(re.sub(r"[\s_-]", "", title[:100]).lower())


# The rows ---------------------------------------------------------------------------------


class _Reading:
    """Goes over the rows twice: for the decimal mark, then for the costs."""

    def __init__(self, table: _Table, currency: str, told: Told) -> None:
        self.table = table
        self.told = told
        self.problems = _Problems()
        self.found: dict[tuple[date, Source, str], list[Decimal | int]] = {}
        self.currency = partial(cost_cells.currency, wanted=currency)

    def costs(self) -> list[Cost]:
        mark = self._decimal_mark()
        money = partial(cost_cells.money, mark=mark)
        count = partial(cost_cells.count, mark=mark)
        total = self.table.text.count("\n")
        done = 0
        for line, cells in self.table.rows():
            done += 1
            if done > MOST_ROWS or len(self.found) > MOST_CELLS:
                self.problems.add(
                    line, f"more than {MOST_ROWS} rows or days: split the file"
                )
                break
            self._row(line, cells, money, count)
            if done % TELL_EVERY == 0:
                self.told(done, max(total, done))
        self.problems.check()
        self.told(done, done)
        return [_cost(key, sums) for key, sums in self.found.items()]

    def _decimal_mark(self) -> str:
        """The one mark that the sums of the file show; raises BadFile if it cannot be told."""
        first: dict[str, int] = {}
        for line, cells in self.table.rows():
            if shown := cost_cells.vote(self.table.cell(cells, "cost")):
                first.setdefault(shown, line)
        title = self.table.title("cost")
        if "." in first and "," in first:
            a, b = sorted((first["."], first[","]))
            self.problems.add(b, f"has another decimal mark than line {a}", title)
        elif first.keys() == {"?"}:
            text = "thousands or a fraction? write 1234 or 1.23 for what you mean"
            self.problems.add(first["?"], text, title)
        self.problems.check()
        return "," if "," in first else "."

    def _row(
        self,
        line: int,
        cells: list[str],
        money: Callable[[str], Decimal],
        count: Callable[[str], int],
    ) -> None:
        before = self.problems.count
        if any(cells[len(self.table.titles) :]):
            # Most often a decimal comma in a file of commas: half of the sum would be lost.
            text = f"has {len(cells)} cells, the header {len(self.table.titles)}: put quotes"
            self.problems.add(
                line, f"{text} around cells with {self.table.delimiter!r}"
            )
            return
        read = partial(self._read, line, cells)
        days = read("date", cost_cells.days)
        amount = read("cost", money)
        clicks, impressions = read("clicks", count), read("impressions", count)
        read("currency", self.currency)
        source, medium = (
            read("source", cost_cells.told_label),
            read("medium", cost_cells.told_label),
        )
        campaign_id, campaign, content, term = (
            read(name, cost_cells.label) or ""
            for name in ("campaign_id", "campaign", "content", "term")
        )
        if self.problems.count > before:
            return
        assert days and source and medium
        labels = _source(source, medium, campaign, content, term)
        self._add(days, labels, campaign_id, (amount, clicks, impressions))

    def _read(
        self, line: int, cells: list[str], name: str, read: Callable[[str], T]
    ) -> T | None:
        try:
            text = self.table.cell(cells, name)
            if len(text) > cost_cells.LONGEST:
                raise Wrong(f"may have {cost_cells.LONGEST} characters at most")
            return read(text)
        except Wrong as problem:
            self.problems.add(line, str(problem), self.table.title(name))
            return None

    def _add(
        self,
        days: tuple[date, date],
        source: Source,
        campaign_id: str,
        measures: tuple[Decimal | int | None, ...],
    ) -> None:
        since, until = days
        told = [measure or 0 for measure in measures]
        if since == until:
            self._sum((since, source, campaign_id), told)
            return
        money = costs.even(Decimal(told[0]), since, until)
        for n, day in enumerate(money):
            counts = (_share(int(count), n, len(money)) for count in told[1:])
            self._sum((day, source, campaign_id), [money[day], *counts])

    def _sum(
        self, key: tuple[date, Source, str], measures: Sequence[Decimal | int]
    ) -> None:
        sums = self.found.setdefault(key, [Decimal(0), 0, 0])
        for place, measure in enumerate(measures):
            sums[place] += measure


def _share(count: int, n: int, parts: int) -> int:
    """The n-th of so many even parts of a count; together they are exactly it."""
    return count * (n + 1) // parts - count * n // parts


@lru_cache(maxsize=4096)
def _source(source: str, medium: str, campaign: str, content: str, term: str) -> Source:
    return sources.labelled(
        source=source, medium=medium, campaign=campaign, content=content, term=term
    )


def _cost(key: tuple[date, Source, str], sums: Sequence[Decimal | int]) -> Cost:
    day, source, campaign_id = key
    return Cost(
        day=day,
        source=source,
        amount=Decimal(sums[0]),
        clicks=int(sums[1]),
        impressions=int(sums[2]),
        campaign_id=campaign_id,
    )
