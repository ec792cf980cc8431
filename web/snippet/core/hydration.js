/*
 * Markup from the server that a framework is about to take over.
 *
 * React and Vue compare such texts with their own and complain of any difference, so nothing
 * is written there before they are done: a framework leaves properties of its own on what is
 * its own. If none comes in time, there is none.
 */

const HOLDERS =
  '#root,#app,#__next,#__nuxt,#___gatsby,[data-reactroot],[data-server-rendered],' +
  '[data-skvoz-hydrate]';

let loaded = 0;

export function isRaw(node) {
  const W = window;
  const element = node.nodeType == 1 ? node : node.parentElement;
  const holder =
    element.closest(HOLDERS) ||
    ((W.__next_f || W.__remixContext || W.__reactRouterContext) && document.documentElement);
  if (!holder) return false;
  const state = stateOf(element);
  if (state == 'taken') return false;
  if (document.readyState != 'complete') return true;
  loaded = loaded || Date.now();
  // A framework at work is waited for longest, one that a mere name suggests shortest.
  const patience = state ? 10000 : holder.matches('#root,#app') ? 1000 : 5000;
  return Date.now() - loaded < patience;
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
