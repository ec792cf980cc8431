/*
 * What the browser remembers from page to page: in localStorage, else in a cookie.
 */

const D = document;
const NAME = 'skvoz.' + C.site;
const YEAR = 31536000; // seconds

export function cookies() {
  const found = {};
  try {
    for (const pair of D.cookie.split('; ')) {
      const at = pair.indexOf('=');
      found[pair.slice(0, at)] = decode(pair.slice(at + 1));
    }
  } catch (refused) {} // a sandboxed frame may not even look
  return found;
}

export function setCookie(name, text, seconds) {
  try {
    D.cookie = name + '=' + encodeURIComponent(text) + ';path=/;samesite=lax;max-age=' + seconds;
  } catch (refused) {}
}

export function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch (malformed) {
    return text;
  }
}

export function recall() {
  let kept;
  try {
    kept = localStorage.getItem(NAME);
  } catch (refused) {}
  try {
    return JSON.parse(kept || cookies()[NAME]) || {};
  } catch (unreadable) {
    return {};
  }
}

export function remember(kept) {
  const text = JSON.stringify(kept);
  try {
    localStorage.setItem(NAME, text);
  } catch (refused) {
    setCookie(NAME, text, YEAR);
  }
  if (C.cookie) setCookie('skvoz_session', kept.session, YEAR);
}

export function forget() {
  try {
    localStorage.removeItem(NAME);
  } catch (refused) {}
  setCookie(NAME, '', 0);
  if (C.cookie) setCookie('skvoz_session', '', 0);
}
