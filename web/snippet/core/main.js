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

import { looks } from './attributes.js';
import { askMetrika } from './ids.js';
import { forget, recall } from './memory.js';
import { searchPage } from './page.js';
import { followRoutes } from './routes.js';
import { rules, translate } from './rules.js';
import { on, safe, say } from './safe.js';
import {
  contact, inform, listeners, post, reuse, sent, state, tell, tellLateIds, turn, withdraw,
} from './talk.js';

const W = window;
const D = document;
const LATE_IDS = 2000; // ms: by then the counters of Metrika and Google have set theirs

let decided; // whether the visitor consents, as far as anybody said
let looking = false;
const calls = []; // skvoz(...) calls that wait for consent

function decide(given) {
  if (given === decided) return;
  decided = state.granted = given;
  // While the page is only being prepared nobody sees it: no number is due yet.
  const begin = () => {
    if (given == decided) (given ? start : refrain)();
  };
  if (D.prerendering) on(D, 'prerenderingchange', begin);
  else begin();
}

function start() {
  reuse();
  safe(turn)();
  safe(askMetrika)();
  look();
  setTimeout(safe(tellLateIds), LATE_IDS);
  for (const args of calls.splice(0)) safe(command)(args);
}

// Nothing is kept or told of the visitor; he is shown his source's number.
function refrain() {
  withdraw();
  safe(turn)();
  look();
}

function look() {
  searchPage();
  if (looking) return;
  looking = true;
  on(W, 'beforeprint', () => searchPage(1e9));
  safe(followRoutes)();
}

// ---- skvoz(…), the page's side, and S, what parts are given -----------------------------

function consent(given) {
  if (!given) forget();
  decide(!!given);
}

function listen(about, callback) {
  const listener = { about, callback };
  listeners.push(listener);
  inform(listener);
}

const commands = {
  goal: (name) => tell('goal', String(name).slice(0, 200)),
  contact,
  consent,
  number: (callback) => listen('number', callback),
  session: (callback) => listen('session', callback),
};

function command(args) {
  const name = args[0];
  if (!commands.hasOwnProperty(name)) return;
  if (name == 'goal' && !decided) {
    if (calls.length < 50) calls.push(args);
  } else {
    commands[name](args[1]);
  }
}

let policy;

// Another script of ours, once the page has all of its own.
function load(name) {
  const add = safe(() => {
    const types = W.trustedTypes;
    policy =
      policy || (types ? types.createPolicy('skvoz', { createScriptURL: (url) => url }) : 0);
    const url = C.api + '/s/' + C.site + '/' + name + '.js';
    const tag = D.createElement('script');
    tag.src = policy ? policy.createScriptURL(url) : url;
    D.head.append(tag);
  });
  if (D.readyState == 'complete') add();
  else on(W, 'load', add);
}

const S = {
  C, safe, on, say, rules, translate, listen, tell, contact, consent, load, post, sent, recall,
  each: (look) => {
    looks.push(look);
    if (looking) searchPage();
  },
  again: () => searchPage(),
  session: () => state.session,
  visitor: () => state.visitor,
};

safe(() => {
  const before = W.skvoz;
  if (before && before.loaded) return; // embedded twice
  const tag = D.currentScript;
  W.skvoz = (...args) => safe(command)(args);
  W.skvoz.loaded = true;
  W.skvoz.S = S;
  for (const part of PARTS || []) safe(part)(S);
  for (const args of (before && before.q) || []) safe(command)(args);
  const against = C.signals && (navigator.globalPrivacyControl || navigator.doNotTrack == 1);
  const waits = (tag && tag.getAttribute('data-consent')) || C.consent;
  if (decided == null) decide(!against && (!waits || waits == 'auto'));
  if (C.widget) load('widget');
  if (sent) load('debug');
})();
