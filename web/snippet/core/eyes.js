/*
 * What the visitor sees and clicks.
 *
 * A number counts as read after a second in view on a visible page, or when it is pointed at
 * or focused, which comes a moment before a click.
 */

import { readLink } from './attributes.js';
import { isBarred } from './page.js';
import { standing } from './rules.js';
import { shownAt } from './routes.js';
import { D, on, safe } from './safe.js';
import { reveal, tell } from './talk.js';

const DWELL = 1000; // ms a number must be in view to count as seen

let watched; // element → its rules
const timers = new WeakMap(); // element in view → its dwell timer
const eyes =
  window.IntersectionObserver && // not before Safari 12.1
  new IntersectionObserver(safe(looked), { threshold: [0, 0.1, 0.3, 0.5] });

// Numbers or the session have changed: everything is seen anew.
export function blink() {
  watched = new WeakMap();
  if (eyes) eyes.disconnect();
}

blink();

export function watch(element, rule) {
  const known = watched.get(element);
  if (known) {
    known.add(rule);
  } else {
    watched.set(element, new Set([rule]));
    if (eyes) eyes.observe(element);
  }
}

function looked(entries) {
  for (const { target, isIntersecting, intersectionRatio, intersectionRect } of entries) {
    clearTimeout(timers.get(target));
    const enough = intersectionRatio >= 0.5 || intersectionRect.height > innerHeight * 0.4;
    if (isIntersecting && enough) dwell(target);
  }
}

function dwell(element) {
  timers.set(element, setTimeout(safe(() => {
    if (!element.isConnected) return;
    const visible =
      !D.hidden &&
      Date.now() - shownAt >= DWELL &&
      (!element.checkVisibility ||
        element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }));
    if (visible) see(element);
    else dwell(element);
  }), DWELL));
}

function see(element) {
  (watched.get(element) || []).forEach(reveal);
}

function pointed(event) {
  event.composedPath().slice(0, 5).forEach(see);
}

function clicked(event) {
  const start = event.composedPath()[0];
  const link = start.closest && start.closest('a,area');
  if (!link || isBarred(link)) return;
  const hit = new Set();
  const chat = readLink(link.getAttribute('href'), (rule) => hit.add(rule));
  hit.forEach((rule) => {
    rule.read_ = true;
    tell(rule.phone ? 'tel_click' : 'mail_click', standing(rule));
  });
  if (chat) tell('messenger_click', chat);
}

// The visitor's pointer and focus in one document.
export function attend(document) {
  on(document, 'pointerover', pointed);
  on(document, 'focusin', pointed);
  on(document, 'click', clicked);
}
