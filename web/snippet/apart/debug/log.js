/*
 * What was told to the tracker, latest first, each entry to be unfolded.
 */

import { answerOf } from './facts.js';
import { fold, make } from './nodes.js';
import { sent } from './tap.js';
import { say } from './words.js';

const SLOW = 10000; // ms: what is not answered by then is shown without; a beacon never is

export const log = make('div', { className: 'log' });
const shown = new Set();

export function updateLog() {
  for (const entry of sent) {
    if (shown.has(entry) || (entry.answer == null && Date.now() - entry.at < SLOW)) continue;
    shown.add(entry);
    log.prepend(describe(entry));
  }
}

function describe(entry) {
  const { at, path, body, status = say('silent') } = entry;
  const title = [new Date(at).toLocaleTimeString() + ' ', make('code', {}, path), ' ' + status];
  const texts = [body, answerOf(entry)].map((value) => JSON.stringify(value, null, 2));
  const content = texts.filter(Boolean).map((text) => make('pre', { tabIndex: 0 }, text));
  return fold(title, make('div', {}, ...content), status >= 400);
}
