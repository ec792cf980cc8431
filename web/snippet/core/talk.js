/*
 * Talking to the tracker: visits, beats and events, forms.
 */

import { blink } from './eyes.js';
import { clientIds } from './ids.js';
import { recall, remember } from './memory.js';
import { searchPage } from './page.js';
import { rules, standing, take } from './rules.js';
import { D, safe, say } from './safe.js';

const PATIENCE = 3000; // ms: a later answer leaves alone a number already being read
const TRIES = 3; // visits that fail in a row; a refused one will not fare better
const MOST = 50; // events that wait

export let session;
export let lease; // seconds a silent session keeps its number

let granted; // the visitor's consent, or nobody asks for it
let here;
let from;
let ticker;
let events = []; // what the visitor did and the tracker was not yet told
let toldIds; // client ids as last told, as text
let revealed = []; // numbers told as seen in this session

// A string body travels as text/plain: no CORS preflight. Resolves with the answer.
function post(path, body) {
  return fetch(C.api + path, {
    method: 'POST',
    body: JSON.stringify(body),
    keepalive: true,
    credentials: 'omit',
  }).then((answer) => {
    const { status } = answer;
    if (status < 300) return answer;
    const trouble = Error(path + ' ' + status);
    trouble.refused_ = status < 500 && status != 429;
    throw trouble;
  });
}

// ---- visits ---------------------------------------------------------------------------

let failures = 0; // of visits, in a row
let asked = 0; // visits sent
let heard = 0; // the latest of them that was answered
let line = Promise.resolve(); // a second page view has to know the session of the first

// A page of the site is looked at. Inside a visit the tracker need not be asked: all that is
// shown is known, and the next beat tells of the page.
export function turn(url = here, referrer = from) {
  here = url;
  from = referrer;
  const kept = granted && recall();
  if (
    !C.debug && // who debugs is told the reasons on each page
    session &&
    asked == heard &&
    kept.session == session &&
    Date.now() - kept.at < lease * 500 && // a beat will come long before it ends
    from.split('/')[2] == location.host &&
    !/[?&#](utm_|roistat|\w*clid=)/i.test(url) &&
    rules.every((rule) => /dynamic|static/.test(rule.kind))
  ) {
    note('page', url);
  } else if (failures < TRIES) {
    const mine = ++asked;
    line = line.then(() => new Promise((done) => {
      setTimeout(done, PATIENCE);
      safe(visit)(mine).then(done);
    }));
  }
}

function visit(mine) {
  const began = performance.now();
  const consent = granted;
  const body = { ...where(), consent, debug: C.debug, replaces: rules.map((rule) => rule.from) };
  if (consent) {
    const kept = recall();
    body.visitor = kept.visitor;
    body.session = kept.session || session;
    body.ids = clientIds();
    toldIds = JSON.stringify(body.ids);
  }
  return post('/v1/visits', body)
    .then((answer) => answer.json())
    .then((answer) => {
      // Overtaken by a later page's answer, or by the visitor's decision.
      if (mine < heard || consent != granted) return;
      heard = mine;
      const late = performance.now() - began > PATIENCE;
      if (consent) settle(answer, late);
      else if (take(answer, late)) searchPage();
      failures = 0;
    })
    .catch((trouble) => {
      failures += trouble.refused_ ? TRIES : 1;
      say(trouble);
    });
}

// Without consent labels tell the source; of other parameters, which may tell one visitor from
// another, only the names are told.
function where() {
  const tellable = (url) =>
    (granted ? url : url.replace(/([?&#](?!utm_)[^=&#]*=)[^&#]*/gi, '$11')).slice(0, 8000);
  return { site: C.site, url: tellable(here), referrer: tellable(from) };
}

// The tracker has told who this is and what to show.
function settle(answer, late) {
  if (typeof answer.session != 'string') throw Error('bad answer');
  const changed = take(answer, late);
  const other = session && session != answer.session;
  session = answer.session;
  lease = +answer.lease_seconds || 1800;
  if (other) revealed = [];
  const { numbers = [], emails = [] } = answer;
  const beat_seconds = answer.beat_seconds;
  setBeat(beat_seconds);
  keep({ numbers, emails, visitor: answer.visitor, session, lease, beat_seconds });
  if (changed || other) renew();
  announce();
  for (const rule of rules) if (rule.wanted_) reveal(rule);
  if (events.length) beat();
}

function keep(kept) {
  remember({ ...kept, ids: toldIds, revealed, at: Date.now() });
}

// Numbers have changed: put them into the page, and wait for them to be seen anew.
function renew() {
  announce();
  blink();
  for (const rule of rules) rule.wanted_ = false;
  searchPage();
}

// The visitor consents, or nobody asks him. What was remembered is shown at once, unless it is
// older than a lease; without consent all is forgotten, but what is shown stays.
export function allow(given) {
  granted = given;
  session = null;
  clearInterval(ticker);
  if (!given) events = [];
  if (!given) return;
  const kept = recall();
  lease = kept.lease;
  const age = Date.now() - kept.at;
  if (age >= 0 && age < lease * 1000) {
    safe(() => {
      take(kept);
      session = kept.session;
      revealed = kept.revealed || [];
      toldIds = kept.ids;
      announce();
    })();
  }
  setBeat(kept.beat_seconds);
}

// ---- beats and events -----------------------------------------------------------------

function note(type, target) {
  events.push({ type, at: Date.now() / 1000, target });
  if (events.length > MOST) events.shift();
}

// Without a session, so also before consent, it waits.
export function tell(type, target) {
  note(type, target);
  beat();
}

// The visitor has had the time to read what stands in place of this number.
export function reveal(rule) {
  rule.read_ = true;
  const number = standing(rule);
  if (!rule.phone || rule.told_ == number) return;
  rule.wanted_ = !session;
  if (!session) return; // told when the tracker has answered
  rule.told_ = number;
  // That it was seen on a further page can wait for the next beat.
  if (revealed.includes(number)) return note('reveal', number);
  revealed.push(number);
  tell('reveal', number);
}

// A common number is about to be read: it is the moment to ask for one of his own.
function isLate(event) {
  return rules.some(
    (rule) =>
      rule.phone &&
      rule.kind &&
      rule.kind != 'dynamic' &&
      standing(rule) == event.target
  );
}

export function beat() {
  if (!session) return;
  const batch = events;
  const late = batch.some(isLate);
  const began = performance.now();
  post(late ? '/v1/events' : '/v1/beats', beatBody(D.hidden ? 'hidden' : 'visible'))
    .then(
      (answer) => {
        touch();
        return late && answer.json();
      },
      (trouble) => {
        if (!trouble.refused_) events = batch.concat(events).slice(-MOST);
        throw trouble;
      }
    )
    .then((given) => {
      // The visitor reads it already: only the wait for this answer counts, not `read_`.
      const soon = performance.now() - began < PATIENCE;
      const changed = soon && given && take(given);
      if (given) touch(given.numbers);
      if (changed) renew();
    })
    .catch(say);
}

function beatBody(state) {
  const body = { session, state, events };
  const ids = clientIds();
  const text = JSON.stringify(ids);
  if (text != toldIds) body.ids = ids;
  toldIds = text;
  events = [];
  return body;
}

// The tracker has just heard of this session: its numbers, and those lent at the last moment,
// are its own for another lease.
function touch(fresh = []) {
  const kept = recall();
  if (!session || kept.session != session) return;
  kept.numbers = kept.numbers.map(
    (entry) => fresh.find((given) => given.replaces == entry.replaces) || entry
  );
  keep(kept);
}

// Leaving: nobody will be here for the answer, the browser carries the message alone.
export function leave(state) {
  if (session) {
    navigator.sendBeacon(C.api + '/v1/beats', JSON.stringify(beatBody(state)));
  }
}

export function tellLateIds() {
  if (JSON.stringify(clientIds()) != toldIds) beat();
}

function setBeat(seconds) {
  clearInterval(ticker);
  ticker = setInterval(safe(() => {
    if (D.hidden) return;
    if (session) beat();
    else turn();
  }), Math.max(1, +seconds || 30) * 1000);
}

// ---- the page's side ------------------------------------------------------------------

const listeners = [];

// Each hears when what it asked for becomes known, and when it changes.
export function listen(about, callback) {
  listeners.push({ about_: about, callback_: callback });
  announce();
}

function announce() {
  const first = rules.find((rule) => rule.phone);
  const known = { session, number: first && first.kind && standing(first) };
  for (const listener of listeners) {
    const value = known[listener.about_];
    if (!value || value == listener.heard_) continue;
    listener.heard_ = value;
    safe(listener.callback_)(value);
  }
}

// A form: worth trying again for, its id makes telling it twice harmless. It goes without
// consent too, for it is the visitor's own will, but then it says nothing more of him.
export function contact(given) {
  const who = session ? { session } : where();
  const id = '' + crypto.getRandomValues(new Uint32Array(4));
  const body = { channel: 'form', id, ...given, ...who, site: C.site };
  const attempt = (wait) =>
    post('/v1/contacts', body).catch((trouble) => {
      say(trouble);
      if (!trouble.refused_ && wait < 1e5) setTimeout(attempt, wait, wait * 3);
    });
  return attempt(1000); // the answer, or nothing when the first try failed
}
