/*
 * Who this is for others: the cookies and ids that conversions are matched by.
 */

import { D } from './safe.js';

import { hooks } from './load.js';
import { decode } from './memory.js';

// Metrika, Google Analytics, Meta, Google Ads, Microsoft Ads, VK: the tracker reads what is in them.
const COOKIES = /(_ym_uid|_ga\w*|_fb[pc]|_gcl_a[wg]|_gcl_gb|_uetmsclkid|tmr_lvid)=([^;]+)/g;

export function clientIds() {
  const ids = { ...hooks.ids };
  try {
    D.cookie.replace(COOKIES, (all, name, text) => {
      ids[name] = decode(text);
    });
  } catch (refused) {} // a sandboxed frame may not even look
  return ids;
}
