/*
 * The script that sites embed: it shows each visitor a number and an address of his own.
 *
 * The build makes one function of it, `function (C, PARTS)`, which the server calls with the
 * site's configuration and optional parts, see README.md. It asks the tracker what to show, puts
 * that into the page in the page's own spelling, and tells what the visitor saw and clicked.
 *
 * It never breaks the page it is on: if we are silent, slow or talk rubbish, the page keeps
 * its own number and the console gets one debug line. No eval, no inline code, no markup.
 */

import { attend, watch } from './eyes.js';
import { forget } from './memory.js';
import { hooks, load } from './load.js';
import { follow, looks, search, searchPage, work } from './page.js';
import { followVisibility } from './routes.js';
import { rules, translate } from './rules.js';
import { D, on, safe, say } from './safe.js';
import { allow, contact, listen, session, tell, tellLateIds, turn } from './talk.js';

const W = window;
const LATE_IDS = 2000; // ms: by then the counters of Metrika and Google have set theirs

let decided; // whether the visitor consents, as far as anybody said
let refused;
let looking = false;

function decide(given) {
  if (given === decided) return;
  decided = given;
  // While the page is only being prepared nobody sees it: no number is due yet.
  const begin = () => {
    if (given == decided) start(given);
  };
  if (D.prerendering) on(D, 'prerenderingchange', begin);
  else begin();
}

// Without consent nothing is kept or told of the visitor; he is shown his source's number.
function start(given) {
  allow(given);
  safe(turn)(location.href, D.referrer);
  searchPage();
  if (!looking) {
    looking = true;
    follow(D);
    attend(D);
    followVisibility();
    on(W, 'load', searchPage); // elements may have got a shadow tree since
  }
  if (given) setTimeout(safe(tellLateIds), LATE_IDS);
}

// ---- skvoz(…), the page's side, and S, what parts are given -----------------------------

function consent(given) {
  refused = !given;
  if (!given) forget();
  decide(!!given);
}

function command([name, given]) {
  if (/^(number|session)$/.test(name)) listen(name, given);
  if (/^con(tact|sent)$/.test(name)) S[name](given);
  if (name == 'goal') tell(name, ('' + given).slice(0, 200));
}

const S = {
  C, safe, on, say, rules, translate, listen, tell, contact, consent,
  hooks, follow, attend, watch, search, work,
  each: (look) => {
    looks.push(look);
    if (looking) searchPage();
  },
  again: searchPage,
  session: () => session,
  refused: () => refused, // said so, rather than was not asked yet
};

safe(() => {
  const before = W.skvoz;
  if (before && before.loaded) return; // embedded twice
  W.skvoz = (...args) => safe(command)(args);
  W.skvoz.loaded = true;
  W.skvoz.S = S;
  const tag = D.currentScript;
  const waits = (tag && tag.dataset.consent) || C.consent;
  S.begin = () => {
    for (const part of PARTS) safe(part)(S);
    for (const args of (before && before.q) || []) safe(command)(args);
    if (decided == null) decide(!refused && waits == 'auto');
  };
  // The debugging panel hears everything, so it begins; in its tab it is remembered by name.
  if (/\bskvoz_debug=1/.test(location.search + W.name)) load('debug');
  else S.begin();
  for (const name of ['forms', 'widget']) if (C[name]) load(name);
})();
