/*
 * What the visitor sees and clicks.
 *
 * A number counts as read after a second in view on a visible page, or when it is pointed at
 * or focused, which comes a moment before a click.
 */

import { meaning } from './attributes.js';
import { isBarred } from './page.js';
import { standing } from './rules.js';
import { on, safe } from './safe.js';
import { reveal, tell } from './talk.js';

const W = window;
const D = document;
const DWELL = 1000; // ms a number must be in view to count as seen

const watched = new WeakMap(); // element → { epoch, rules }
const timers = new WeakMap(); // element in view → its dwell timer
let epoch = 0;
let visibleSince = Date.now();
const eyes =
  W.IntersectionObserver &&
  new IntersectionObserver(safe(looked), { threshold: [0, 0.1, 0.3, 0.5] });

// Numbers or the session have changed: a new number is seen anew.
export function blink() {
  epoch++;
}

export function watch(element, rule) {
  let entry = watched.get(element);
  if (!entry || entry.epoch != epoch) {
    watched.set(element, (entry = { epoch, rules: new Set() }));
    if (eyes) {
      eyes.unobserve(element);
      eyes.observe(element);
    }
  }
  entry.rules.add(rule);
}

function looked(entries) {
  for (const entry of entries) {
    clearTimeout(timers.get(entry.target));
    const enough =
      entry.intersectionRatio >= 0.5 || entry.intersectionRect.height > W.innerHeight * 0.4;
    if (entry.isIntersecting && enough) dwell(entry.target);
  }
}

function dwell(element) {
  timers.set(element, setTimeout(safe(() => {
    if (!element.isConnected) return;
    const visible =
      !D.hidden &&
      Date.now() - visibleSince >= DWELL &&
      (!element.checkVisibility ||
        element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }));
    if (visible) see(element);
    else dwell(element);
  }), DWELL));
}

function see(element) {
  watched.get(element).rules.forEach(reveal);
}

function pointed(event) {
  for (const element of event.composedPath().slice(0, 5)) {
    if (watched.has(element)) see(element);
  }
}

function clicked(event) {
  const start = event.composedPath()[0];
  const link = start.closest && start.closest('a,area');
  if (!link || isBarred(link)) return;
  const { hit, chat } = meaning(link);
  hit.forEach((rule) => {
    rule.read = true;
    tell(rule.phone ? 'tel_click' : 'mail_click', standing(rule));
  });
  if (chat) tell('messenger_click', chat);
}

// The visitor's pointer and focus in one document.
export function attend(document) {
  on(document, 'pointerover', pointed);
  on(document, 'focusin', pointed);
  on(document, 'click', clicked);
  on(document, 'visibilitychange', () => {
    visibleSince = Date.now();
  });
}
