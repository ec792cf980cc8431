"""How numbers, money and moments are written for one reader: his language, the site's zone.

Everything here takes None for "there is no such figure" and writes a dash.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers, units

from numberpool import phones

NONE = "—"
Number = int | float | Decimal
SIGNS = {"RUB": "₽", "KZT": "₸", "UAH": "₴", "BYN": "Br", "GEL": "₾", "AMD": "֏"}
WEEKDAYS = {"ru": "EEEE, d MMMM", "en": "EEEE, MMMM d"}
CENTS_BELOW = 100  # smaller sums of money are written with their cents


@dataclass(frozen=True, slots=True)
class Formats:
    """A language, a time zone and a currency."""

    locale: Locale
    timezone: ZoneInfo
    currency: str

    def number(self, value: Number | None, digits: int = 0) -> str:
        """`1 234` or `1,234`; contacts count in parts, so `digits` may keep some."""
        if value is None:
            return NONE
        pattern = "#,##0" if digits == 0 else "#,##0." + "#" * digits
        return numbers.format_decimal(value, pattern, locale=self.locale)

    def count(self, value: Number | None) -> str:
        """A sum of weights: whole when it is, else with one digit."""
        return self.number(value, 1)

    def rate(self, value: float) -> str:
        """A number of any size with two telling digits."""
        if value == 0 or abs(value) >= 0.01:
            return self.number(value, 2)
        return numbers.format_decimal(
            Decimal(f"{value:.1e}"), "0.##########", locale=self.locale
        )

    def money(self, value: Number | None, currency: str | None = None) -> str:
        """A sum in the site's currency; the cents of large sums are noise."""
        if value is None:
            return NONE
        pattern = str(self.locale.currency_formats["standard"].pattern)
        value = Decimal(str(value))
        if abs(value) >= CENTS_BELOW or value == value.to_integral_value():
            pattern = pattern.replace(".00", "")
        code = currency or self.currency
        text = numbers.format_currency(
            value, code, pattern, locale=self.locale, currency_digits=False
        )
        # Outside its own country a currency is known by its code; its sign is shorter.
        return text.replace(code, SIGNS.get(code, f"{code}\xa0"))

    def percent(self, value: Number | None, digits: int = 0) -> str:
        """A ratio as percent: 0.123 is 12 %."""
        if value is None:
            return NONE
        pattern = self.locale.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("#,##0", "#,##0." + "#" * digits)
        return numbers.format_percent(value, pattern, locale=self.locale)

    def change(self, now: Number | None, before: Number | None) -> str:
        """How much more than before: `+12 %`; empty where there is nothing to compare."""
        if now is None or not before:
            return ""
        ratio = (float(now) - float(before)) / abs(float(before))
        text = self.percent(abs(ratio))
        if abs(ratio) < 0.005:
            return text
        return ("+" if ratio > 0 else "−") + text

    def local(self, at: datetime) -> datetime:
        """The moment on the site's clock."""
        return at.astimezone(self.timezone)

    def clock(self, at: datetime | None, seconds: bool = False) -> str:
        """`14:05` or `14:05:09`."""
        if at is None:
            return NONE
        pattern = "HH:mm:ss" if seconds else "HH:mm"
        return dates.format_time(self.local(at), pattern, locale=self.locale)

    def day(self, day: date | datetime | None) -> str:
        """`22 Nov 2026`, a day of the site's calendar."""
        if day is None:
            return NONE
        if isinstance(day, datetime):
            day = self.local(day).date()
        return dates.format_date(day, "medium", locale=self.locale)

    def short_day(self, day: date) -> str:
        """`22 Nov`, for axes."""
        return dates.format_skeleton("MMMd", day, locale=self.locale)

    def month(self, day: date) -> str:
        """`November 2026`, the day's month."""
        return dates.format_skeleton("yMMMM", day, locale=self.locale)

    def weekday(self, day: date) -> str:
        """`Sunday, 22 November`."""
        pattern = WEEKDAYS.get(self.locale.language, "EEEE, d MMMM")
        text = dates.format_date(day, pattern, locale=self.locale)
        return text[:1].upper() + text[1:]

    def moment(self, at: datetime | None) -> str:
        """Day and time."""
        return NONE if at is None else f"{self.day(at)}, {self.clock(at)}"

    def ago(self, at: datetime | None, now: datetime) -> str:
        """`5 minutes ago`."""
        if at is None:
            return NONE
        return dates.format_timedelta(
            at - now, add_direction=True, locale=self.locale, threshold=1.2
        )

    def duration(self, value: int | float | timedelta | None) -> str:
        """`1:05` or `1:02:05`; a number means seconds."""
        if value is None:
            return NONE
        if isinstance(value, timedelta):
            value = value.total_seconds()
        minutes, seconds = divmod(max(round(value), 0), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours}:{minutes:02}:{seconds:02}"
        return f"{minutes}:{seconds:02}"

    def span(self, seconds: int | float) -> str:
        """`10 minutes`, `4 hours`: a length of time in its own unit."""
        length = timedelta(seconds=seconds)
        return dates.format_timedelta(length, locale=self.locale, threshold=1)

    def phone(self, number: str | None) -> str:
        """An E.164 number as people read it."""
        return phones.display(number) if number else NONE

    def size(self, octets: int) -> str:
        """A file's size."""
        for unit in ("byte", "kilobyte"):
            if octets < 1000:
                return self._unit(octets, unit)
            octets = round(octets / 1000)
        return self._unit(octets, "megabyte")

    def _unit(self, value: int, unit: str) -> str:
        return units.format_unit(
            value, f"digital-{unit}", length="short", locale=self.locale
        )
