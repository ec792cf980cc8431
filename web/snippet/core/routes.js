/*
 * Pages come and go: routes of single-page sites, background tabs, the browser's back.
 */

import { on, safe } from './safe.js';
import { beat, leave, state, turn } from './talk.js';

const W = window;
const D = document;

let hiddenAt = 0;
let left = false;

// A fragment is a place in the page, unless the site routes by it.
function pageOf(url) {
  return url.replace(/#(?![/!]).*$/, '');
}

function routed() {
  if (pageOf(location.href) == pageOf(state.here)) return;
  state.from = state.here;
  state.here = location.href;
  turn();
}

export function followRoutes() {
  if (W.navigation) {
    W.navigation.addEventListener('currententrychange', safe(routed));
  } else {
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name];
      history[name] = function () {
        const result = original.apply(this, arguments);
        safe(routed)();
        return result;
      };
    }
    on(W, 'popstate', routed);
  }
  if (D.hidden) hiddenAt = Date.now();
  on(D, 'visibilitychange', turned);
  on(W, 'pagehide', () => {
    left = true;
    leave('left');
  });
  on(W, 'pageshow', (event) => {
    left = false;
    hiddenAt = 0;
    if (event.persisted) turn();
  });
}

function turned() {
  if (D.hidden) {
    hiddenAt = Date.now();
    if (!left) leave('hidden');
  } else if (!left) {
    // else back from the browser's cache, `pageshow` takes it up
    if (hiddenAt && Date.now() - hiddenAt > state.lease * 1000) turn();
    else beat();
  }
}
