/*
 * Talking to the tracker: visits, beats and events, forms.
 *
 * Visits are sent one after another, so that a second page view knows the session of the first.
 */

import { blink } from './eyes.js';
import { clientIds } from './ids.js';
import { recall, remember } from './memory.js';
import { searchPage } from './page.js';
import { check, rules, standing, take } from './rules.js';
import { safe, say } from './safe.js';

const D = document;
const PATIENCE = 3000; // ms: a later answer leaves alone a number already being read
const REFUSED = 99; // failures, at once: asking again will not change a refusal
const MOST = 50; // events that wait, visits far fewer
// Parameters that tell a source; of all others only the name is told without consent.
const LABEL = /^(utm_(source|medium|campaign|term|content)|roistat|rs|_openstat|erid)=/i;

export const state = {
  session: null,
  visitor: null,
  lease: 1800, // seconds a silent session keeps its number
  granted: false, // the visitor's consent, or nobody asks for it
  here: location.href,
  from: D.referrer,
};
// Of the tab it is remembered in the window's name, by the debugging panel.
export const sent = /\bskvoz_debug=1/.test(location.search + window.name) ? [] : undefined;
export const listeners = []; // of skvoz('number') and skvoz('session')

let ticker;
let beatEvery;
let events = []; // what the visitor did and the tracker was not yet told
let toldIds; // client ids as last told, as text
let revealed = []; // numbers told as seen in this session

// A string body travels as text/plain: no CORS preflight.
export function post(path, body) {
  const entry = { path, body, at: Date.now() };
  if (sent) sent.push(entry);
  return fetch(C.api + path, {
    method: 'POST',
    body: JSON.stringify(body),
    keepalive: true,
    credentials: 'omit',
  }).then((answer) => {
    if (sent) answer.clone().text().then((text) => (entry.answer = answer.status + ' ' + text));
    if (answer.ok) return answer;
    const trouble = Error(path + ' ' + answer.status);
    trouble.refused = answer.status < 500 && answer.status != 429;
    throw trouble;
  });
}

// ---- visits ---------------------------------------------------------------------------

let failures = 0; // of visits, in a row
let visiting = 0; // which page view is in the air, counted from 1
let asked = 0; // page views sent
let heard = 0; // the latest of them that was answered
const visits = []; // page views that wait for the one in the air

// A page of the site is looked at. Inside a visit the tracker need not be asked: all that is
// shown is known, and the next beat tells of the page.
export function turn() {
  const { here, from, granted } = state;
  if (!granted) return visit(here, from);
  const kept = recall();
  const inside = from.split('/')[2] == location.host && !/[?&#](utm_|\w*clid=)/i.test(here);
  const known =
    !sent && // who debugs is told the reasons on each page
    kept.session &&
    kept.session === state.session &&
    Date.now() - kept.at < state.lease * 500 && // a beat will come long before it ends
    rules.every((rule) => /dynamic|static/.test(rule.kind));
  if (inside && known && !visiting) note('page', here);
  else visit(here, from);
}

function visit(url, referrer) {
  if (failures >= REFUSED) return;
  if (visiting) {
    if (visits.length < 20) visits.push([url, referrer]);
    return;
  }
  const turn = (visiting = ++asked);
  const began = performance.now();
  const done = safe(() => {
    if (visiting != turn) return;
    visiting = 0;
    if (visits.length) visit(...visits.shift());
  });
  setTimeout(done, PATIENCE);
  const granted = state.granted;
  post('/v1/visits', granted ? named(url, referrer) : nameless(url, referrer))
    .then((answer) => answer.json())
    .then((answer) => {
      // Overtaken by a later page's answer, or by the visitor's decision.
      if (turn < heard || granted != state.granted) return;
      const late = performance.now() - began > PATIENCE;
      failures = 0;
      if (granted) settle(answer, late);
      else if (take(check(answer), late)) searchPage();
      heard = turn;
    })
    .catch((trouble) => {
      failures += trouble.refused ? REFUSED : 1;
      say(trouble);
    })
    .then(done);
}

function named(url, referrer) {
  const kept = recall();
  const ids = clientIds();
  toldIds = JSON.stringify(ids);
  return {
    ...where(url, referrer),
    visitor: kept.visitor || state.visitor,
    session: kept.session || state.session,
    consent: true,
    ids,
  };
}

// Without consent: where the visit came from, and nothing that tells one visitor from another.
function nameless(url, referrer) {
  return { ...where(bare(url), bare(referrer).split('?')[0]), consent: false };
}

function where(url, referrer) {
  return {
    site: C.site,
    url: url.slice(0, 8000),
    referrer: referrer.slice(0, 8000),
    replaces: rules.map((rule) => rule.from),
    debug: sent && true,
  };
}

function bare(url) {
  return url
    .replace(/#.*/, '')
    .replace(/[^?&]+(?=&|$)/g, (pair, at) =>
      at && !LABEL.test(pair) ? pair.replace(/=.*/, '=1') : pair
    );
}

// The tracker has told who this is and what to show.
function settle(answer, late) {
  const checked = check(answer, true);
  const other = state.session && state.session != answer.session;
  state.session = answer.session;
  state.visitor = answer.visitor;
  state.lease = within(answer.lease_seconds, 1e7, 1800);
  setBeat(within(answer.beat_seconds, 3600, 30));
  if (other) revealed = [];
  remember({
    ...checked,
    visitor: state.visitor,
    session: state.session,
    lease: state.lease,
    beat: beatEvery,
    ids: toldIds,
    revealed,
    at: Date.now(),
  });
  if (take(checked, late, true) || other) renew();
  announce();
  for (const rule of rules) if (rule.wanted) reveal(rule);
  if (events.length) beat();
}

export function within(value, most, otherwise) {
  return value >= 1 && value <= most ? +value : otherwise;
}

// Numbers have changed: put them into the page, and wait for them to be seen anew.
function renew() {
  blink();
  for (const rule of rules) rule.wanted = false;
  searchPage();
}

// What was remembered is shown at once, unless it is older than a lease.
export function reuse() {
  const kept = recall();
  state.visitor = kept.visitor || null;
  state.lease = within(kept.lease, 1e7, 1800);
  const age = Date.now() - kept.at;
  if (age >= 0 && age < state.lease * 1000) {
    safe(() => {
      take(check(kept, true));
      state.session = kept.session;
      revealed = kept.revealed || [];
      toldIds = kept.ids;
      announce();
    })();
  }
  setBeat(within(kept.beat, 3600, 30));
}

// ---- beats and events -----------------------------------------------------------------

function note(type, target) {
  events.push({ type, at: Date.now() / 1000, target });
  if (events.length > MOST) events.shift();
}

export function tell(type, target) {
  if (!state.granted) return;
  note(type, target);
  beat();
}

// The visitor has had the time to read what stands in place of this number.
export function reveal(rule) {
  rule.read = true;
  const number = standing(rule);
  if (!rule.phone || rule.told == number) return;
  rule.wanted = !state.session;
  if (!state.session) return; // told when the tracker has answered
  rule.told = number;
  // That it was seen on a further page can wait for the next beat.
  if (revealed.includes(number)) return note('reveal', number);
  revealed.push(number);
  tell('reveal', number);
}

// A common number is about to be read: it is the moment to ask for one of his own.
function isLate(event) {
  return rules.some((rule) => {
    const common = rule.kind && rule.kind != 'dynamic' && !rule.closed;
    return rule.phone && common && standing(rule) == event.target;
  });
}

export function beat() {
  if (!state.session) return;
  const batch = events;
  const body = beatBody(D.hidden ? 'hidden' : 'visible');
  const began = performance.now();
  const late = batch.some(isLate);
  post(late ? '/v1/events' : '/v1/beats', body)
    .then(
      (answer) => {
        touch();
        return late && answer.json();
      },
      (trouble) => {
        if (!trouble.refused) events = batch.concat(events).slice(-MOST);
        throw trouble;
      }
    )
    .then((given) => {
      if (late && state.granted) allocated(given, performance.now() - began > PATIENCE);
    })
    .catch(say);
}

function beatBody(condition) {
  const body = { session: state.session, state: condition, events };
  const ids = clientIds();
  const text = JSON.stringify(ids);
  if (text != toldIds) body.ids = ids;
  toldIds = text;
  events = [];
  return body;
}

// The tracker has just heard of this session: its numbers are its own for another lease.
function touch(numbers) {
  const kept = recall();
  if (kept.session !== state.session) return;
  const given = (entry) => (numbers || []).find((fresh) => fresh.replaces == entry.replaces);
  kept.numbers = kept.numbers.map((entry) => given(entry) || entry);
  remember({ ...kept, ids: toldIds, revealed, at: Date.now() });
}

// Leaving: nobody will be here for the answer, the browser carries the message alone.
export function leave(condition) {
  if (!state.session) return;
  const body = beatBody(condition);
  const beacon = navigator.sendBeacon;
  if (!beacon || !beacon.call(navigator, C.api + '/v1/beats', JSON.stringify(body))) {
    post('/v1/beats', body).catch(say);
  } else if (sent) sent.push({ path: '/v1/beats', body, at: Date.now() });
}

// A number was lent at the last moment; it is this visitor's on the next pages too.
function allocated(given, late) {
  const checked = check(given);
  touch(checked.numbers);
  // The visitor reads it already: only the wait for this answer counts, not `read`.
  if (!late && take(checked, false, true)) {
    renew();
    announce();
  }
}

export function tellLateIds() {
  if (JSON.stringify(clientIds()) != toldIds) beat();
}

function setBeat(seconds) {
  if (ticker && seconds == beatEvery) return;
  beatEvery = seconds;
  clearInterval(ticker);
  ticker = setInterval(safe(tick), seconds * 1000);
}

function tick() {
  if (D.hidden) return;
  if (state.session) beat();
  else if (!visiting && failures < 3) visit(state.here, state.from);
}

// ---- the page's side ------------------------------------------------------------------

function announce() {
  for (const listener of listeners) inform(listener);
}

// Each listener hears when what it asked for becomes known, and when it changes.
export function inform(listener) {
  const first = rules.find((rule) => rule.phone);
  const known =
    listener.about == 'session' ? state.session : first && first.kind && standing(first);
  if (!known || known == listener.heard) return;
  listener.heard = known;
  safe(listener.callback)(known);
}

// A form: worth trying again for, its id makes telling it twice harmless. It goes without
// consent too, for it is the visitor's own will, but then it says nothing more of him.
export function contact(given) {
  const who = state.session
    ? { session: state.session }
    : state.granted && state.visitor
    ? { visitor: state.visitor }
    : (state.granted ? where : nameless)(state.here, state.from);
  const body = { channel: 'form', id: newId(), ...given, ...who, site: C.site };
  let tries = 0;
  (function attempt() {
    post('/v1/contacts', body).catch((trouble) => {
      say(trouble);
      if (!trouble.refused && tries < 4) setTimeout(attempt, 1000 * 3 ** tries++);
    });
  })();
}

function newId() {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)));
  return bytes.map((byte) => (byte + 256).toString(16).slice(1)).join('');
}

// Consent was taken back: what is shown stays, everything else is forgotten.
export function withdraw() {
  state.granted = false;
  state.session = state.visitor = null;
  events = [];
  ticker = clearInterval(ticker);
}
