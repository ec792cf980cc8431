/*
 * What the browser remembers from page to page, and the cookies of others.
 */

import { hooks } from './load.js';

const NAME = 'skvoz.' + C.site;

let last = {}; // where nothing can be stored

export function recall() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) || {};
  } catch (refused) {
    return last;
  }
}

export function remember(kept) {
  last = kept;
  if (hooks.keep) hooks.keep(kept);
  try {
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch (refused) {}
}

export function forget() {
  remember({});
  localStorage.removeItem(NAME);
}

export function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch (malformed) {
    return text;
  }
}
