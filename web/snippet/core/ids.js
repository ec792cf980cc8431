/*
 * Who this is for others: the ids that conversions are matched by.
 */

import { cookies } from './memory.js';

let metrikaId;

// `ym` may be a queue still: the answer comes when the counter has loaded, or never.
export function askMetrika() {
  if (C.ym && typeof window.ym == 'function') {
    window.ym(C.ym, 'getClientID', (id) => {
      metrikaId = id;
    });
  }
}

export function clientIds() {
  const jar = cookies();
  const ids = {};
  const put = (name, pattern, text) => {
    const match = pattern.exec(text || '');
    if (match) ids[name] = match[1];
  };
  const stream = C.ga
    ? '_ga_' + C.ga.replace(/^G-/, '')
    : Object.keys(jar).find((name) => /^_ga_/.test(name));
  put('ym_client_id', /^(\d{10,20})$/, metrikaId || jar._ym_uid);
  put('ga_client_id', /^GA.*\.(\d+\.\d+)$/, jar._ga);
  // GS1.1.<session>.… or, since 2025, GS2.1.<letter and value>$… in any order
  put('ga_session_id', /^GS(?:1\.\d+\.|2\.\d+\.(?:.*\$)?s)(\d+)/, jar[stream]);
  put('fbp', /^(fb\..+)/, jar._fbp);
  put('fbc', /^(fb\..+)/, jar._fbc);
  return ids;
}
