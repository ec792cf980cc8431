/*
 * Pages come and go: routes of single-page sites, background tabs, the browser's back.
 */

import { D, on } from './safe.js';
import { beat, lease, leave, turn } from './talk.js';


let here = location.href;
export let shownAt = Date.now();

let hiddenAt = 0;
let left = false;

// A fragment is a place in the page, unless the site routes by it.
function pageOf(url) {
  return url.replace(/#(?![/!]).*/, '');
}

export function routed() {
  const before = here;
  here = location.href;
  if (pageOf(here) != pageOf(before)) turn(here, before);
}

export function followVisibility() {
  if (D.hidden) hiddenAt = Date.now();
  on(D, 'visibilitychange', turned);
  on(window, 'pagehide', () => {
    left = true;
    leave('left');
  });
  on(window, 'pageshow', (event) => {
    left = false;
    hiddenAt = 0;
    if (event.persisted) turn();
  });
}

// Back from the browser's cache `pageshow` takes it up.
function turned() {
  shownAt = Date.now();
  if (left) return;
  if (D.hidden) {
    hiddenAt = Date.now();
    leave('hidden');
  } else if (hiddenAt && Date.now() - hiddenAt > lease * 1000) {
    turn();
  } else {
    beat();
  }
}
