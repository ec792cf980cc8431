/*
 * When the company calls back, in the visitor's words and by the site's clock.
 */

import { make } from './elements.js';
import { choices, daysBetween, knownZone, spansOf, wallClock } from './hours.js';
import { CLOSED, FIRST, PROMISE, SOON, dayAndTime, language } from './words.js';

// The promise above the form and the choice of a time in it; `renew` looks at the clock again.
export function times({ hours, zone: given }) {
  const zone = knownZone(given);
  const lead = make('p', { className: 'lead' });
  const choice = make('select', { part: 'field' });
  let first; // what is promised to him who chooses nothing

  function renew() {
    const at = new Date();
    const now = wallClock(zone, at);
    const elsewhere = now == wallClock(undefined, at) ? '' : zoneName(zone, at);
    const tell = (moment) => dayAndTime(daysBetween(now, moment), moment) + elsewhere;
    const spans = spansOf(hours, now);
    const opens = spans[0].since;
    first = opens > now ? tell(opens) : SOON;
    lead.textContent = (opens > now ? CLOSED : '') + PROMISE + first;
    choice.replaceChildren(
      make('option', { value: '', textContent: FIRST }),
      ...choices(spans, now).map((moment) =>
        make('option', { value: wire(moment), textContent: tell(moment) })
      )
    );
  }

  // What the visitor was promised: the time he chose, or the first one.
  function promised() {
    return PROMISE + (choice.value ? choice.selectedOptions[0].textContent : first);
  }

  return { lead, choice, renew, promised };
}

// As it is told to the company: the site's own clock.
function wire(moment) {
  return new Date(moment).toISOString().slice(0, 16).replace('T', ' ');
}

// " (GMT+3)": told where the visitor's clock shows another time.
function zoneName(zone, at) {
  const format = new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName: 'short' });
  return ' (' + format.formatToParts(at).find((part) => part.type == 'timeZoneName').value + ')';
}
