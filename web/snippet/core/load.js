/*
 * Other scripts of ours, loaded apart when the page has need of them.
 */

import { D, safe } from './safe.js';

export const hooks = {}; // what they bring

let policy;

export const load = safe((name) => {
  if (name in hooks) return;
  hooks[name] = 0;
  const types = window.trustedTypes;
  policy = policy || (types && types.createPolicy('skvoz', { createScriptURL: (url) => url }));
  const url = C.api + '/s/' + C.site + '/' + name + '.js';
  const tag = D.createElement('script');
  tag.src = policy ? policy.createScriptURL(url) : url;
  D.head.append(tag);
});
