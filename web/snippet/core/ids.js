/*
 * Who this is for others: the cookies and ids that conversions are matched by.
 */

import { D } from './safe.js';

import { decode } from './memory.js';

// Metrika, Google Analytics, Meta, Google Ads, Microsoft Ads, VK: the tracker reads what is in them.
const COOKIES = /(_ym_uid|_ga\w*|_fb[pc]|_gcl_a[wg]|_gcl_gb|_uetmsclkid|tmr_lvid)=([^;]+)/g;

let metrikaId;

// `ym` may be a queue still: the answer comes when the counter has loaded, or never.
export function askMetrika() {
  if (C.ym && window.ym) {
    window.ym(C.ym, 'getClientID', (id) => {
      metrikaId = id;
    });
  }
}

export function clientIds() {
  const ids = { ym_client_id: metrikaId };
  try {
    D.cookie.replace(COOKIES, (all, name, text) => {
      ids[name] = decode(text);
    });
  } catch (refused) {} // a sandboxed frame may not even look
  return ids;
}
