/*
 * The debugging panel of `?skvoz_debug=1`: who the visitor is to us, where he comes from and why,
 * which numbers stand where, what was told to the tracker.
 *
 * It lives in a shadow root of its own beside the page's body, changes nothing of the page, and
 * stays for the tab until it is ended.
 */

import { asText, facts } from './debug/facts.js';
import { log, updateLog } from './debug/log.js';
import { button, fold, make } from './debug/nodes.js';
import { CSS } from './debug/style.js';
import { sent } from './debug/tap.js';
import { LANGUAGE, say } from './debug/words.js';

const PERIOD = 1000; // ms between two looks at the page
const NAME = 'skvoz_debug=1'; // of the window, what the core looks for

const host = make('div', {
  lang: LANGUAGE,
  'data-skvoz': 'off',
  role: 'region',
  'aria-label': say('title'),
});
const status = make('p', { role: 'status' });
const told = fold([make('h3', {}, say('sent'))], log);
const body = make('div', {}, button(say('copy'), copy), button(say('close'), close), status, told);
const panel = fold([make('h2', {}, say('title'))], body, false, true);
panel.className = 'top';

function close() {
  clearInterval(clock);
  host.remove();
  if (window.name == NAME) window.name = '';
}

// Works where the clipboard's own interface does not: in pages without TLS, in frames.
function copy() {
  const field = make('textarea', {
    readOnly: true,
    value: asText([new Date(), navigator.userAgent, facts(host), sent], 1),
    'aria-label': say('copy'),
    onblur: () => field.remove(),
  });
  status.after(field);
  field.focus();
  field.select();
  status.textContent = document.execCommand('copy') ? say('copied') : '';
}

// ---- sections -------------------------------------------------------------------------

const drawn = {}; // section's name → its element and what it shows

function update() {
  if (!panel.open) return;
  for (const [name, rows] of facts(host)) draw(name, rows);
  updateLog();
}

// Only what has changed is drawn anew, so that a reader is not thrown out of his place.
function draw(name, rows) {
  const shown = drawn[name] || (drawn[name] = section(name));
  const text = asText(rows);
  shown.rows = rows;
  shown.details.hidden = !rows.length;
  if (shown.text == text) return;
  shown.text = text;
  const lost = shown.list.contains(root.activeElement);
  shown.list.replaceChildren(...rows.map((row, n) => describe(row, n, shown)));
  if (lost) shown.details.firstChild.focus();
}

function section(name) {
  const list = make('dl', {});
  const details = fold([make('h3', {}, say(name))], list, /strangers|trouble/.test(name), true);
  told.before(details);
  return { details, list };
}

function describe({ label, value, notes, places }, n, shown) {
  const wide = places.length || !label;
  // The page may have put another element in this place meanwhile.
  const items = places.map((place, m) =>
    describePlace(place, () => reach(shown.rows[n].places[m].element))
  );
  return make(
    'div',
    { className: wide ? 'wide' : '' },
    make('dt', {}, wide ? (label + ' ' + value).trim() : label),
    make('dd', {}, !wide && value + ' ', make('small', {}, notes.join(' · ')), make('ul', {}, ...items))
  );
}

function describePlace({ where, shows, ails }, show) {
  const go = button(make('code', {}, where), show);
  go.append(' ' + shows + ' ', make('span', { className: 'bad' }, ails.join(', ')));
  return make('li', {}, go);
}

// An animation marks the element and changes nothing of it.
function reach(element) {
  element.scrollIntoView({ block: 'center' });
  const line = { outline: '3px solid #e5484d', outlineOffset: '3px' };
  element.animate([line, line], 2500);
}

const root = host.attachShadow({ mode: 'open' });
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
root.adoptedStyleSheets = [sheet];
root.append(panel);
panel.ontoggle = S.safe(update);
document.documentElement.append(host);
// Further pages of this tab are debugged too; a name that the page gave is left alone.
if (!window.name) window.name = NAME;
const clock = setInterval(S.safe(update), PERIOD);
S.listen('session', update);
S.listen('number', update);
update();

// The core has waited for us; it asks for the reasons on each page.
S.C.debug = true;
S.begin();
