/*
 * Markup from the server that a framework is about to take over.
 *
 * React and Vue compare such texts with their own and complain of any difference, so nothing
 * is written there before they are done: a framework leaves properties of its own on what is
 * its own. If none comes in time, there is none.
 */

const PATIENCE = 1000; // ms from the page's load, for a framework that a mere name suggests
const LONG = 5000; // for one whose server has left its mark
const LONGEST = 10000; // for one that is at work

let loaded = 0;

export function isTaken(element) {
  const state = stateOf(element);
  if (state == 'taken') return true;
  if (document.readyState != 'complete') return false;
  loaded = loaded || Date.now();
  const patience = state ? LONGEST : element.closest('#root,#app') ? PATIENCE : LONG;
  return Date.now() - loaded > patience;
}

function stateOf(element) {
  for (let up = element; up; up = up.parentElement) {
    const app = up.__vue_app__;
    if (up.__vue__ || (app && !(app.$nuxt && app.$nuxt.isHydrating))) return 'taken';
    if (app) return 'begun';
    for (const key of Object.keys(up)) {
      if (/^__reactContainer|^_reactRoot/.test(key)) return 'begun';
      // What is in an element that React has taken is its own, or markup it does not look into.
      if (/^__reactProps/.test(key)) {
        return up == element || up[key].dangerouslySetInnerHTML ? 'taken' : 'begun';
      }
    }
  }
}
