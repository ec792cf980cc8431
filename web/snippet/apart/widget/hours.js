/*
 * Opening hours: is somebody there now, when next, and which hours can be chosen. Pure.
 *
 * Moments are the site's wall clock written as if it were UTC, in milliseconds: days and hours
 * are counted by plain arithmetic, whatever the visitor's own zone.
 */

const MINUTE = 60000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LEAD = 30 * MINUTE; // nobody is promised a call sooner than that at a given hour
const CHOICES = 10;

export function wallClock(zone, at) {
  const parts = {};
  const numeric = 'numeric';
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hour12: false,
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
  });
  for (const part of format.formatToParts(at)) parts[part.type] = part.value;
  // Some engines call midnight 24.
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour % 24, parts.minute);
}

// The site's zone, or the visitor's own where the browser does not know it.
export function knownZone(zone) {
  try {
    wallClock(zone, 0);
    return zone;
  } catch (unknown) {}
}

// When somebody is there, from now on and for a week: the first has begun if that is now.
// `hours` are [day from 1 (Monday), minute since, minute until].
export function spansOf(hours, now) {
  const today = now - (now % DAY);
  if (!hours || !hours.length) return [{ since: now, until: now + DAY }];
  const found = [];
  for (let day = today; day <= today + 7 * DAY; day += DAY) {
    const weekday = new Date(day).getUTCDay() || 7;
    for (const [which, since, until] of hours) {
      const end = day + until * MINUTE;
      if (which == weekday && end > now) found.push({ since: day + since * MINUTE, until: end });
    }
  }
  return found.sort((one, other) => one.since - other.since);
}

// Whole hours at which a call can be asked for.
export function choices(spans, now) {
  const found = [];
  for (const { since, until } of spans) {
    const first = Math.ceil(Math.max(since, now + LEAD) / HOUR) * HOUR;
    for (let at = first; at < until && found.length < CHOICES; at += HOUR) found.push(at);
  }
  return found;
}

export function daysBetween(now, at) {
  return Math.floor(at / DAY) - Math.floor(now / DAY);
}
