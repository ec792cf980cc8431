/*
 * Numbers and addresses in the page's text, whole or split by inline tags.
 */

import { watch } from './eyes.js';
import { mayWrite, walk } from './page.js';
import { rules, translate } from './rules.js';
import { mayBePiece } from './spelled.js';

export function swapText(node) {
  const text = node.nodeValue;
  const parent = node.parentElement;
  if (!parent || !/[\d@]/.test(text)) return;
  const found = swapOver(parent, [node], text);
  if (!found && text.length < 40 && isPiece(text)) swapPieces(parent);
}

function isPiece(text) {
  return rules.some((rule) => rule.phone && rule.known.some((old) => mayBePiece(text, old)));
}

// `+7 <b>495</b> 000-00-00`: the smallest element around that holds a whole number.
function swapPieces(parent) {
  for (let up = 0; parent && up < 4; up++, parent = parent.parentElement) {
    if (parent.childNodes.length > 30 || parent.textContent.length > 200) return;
    const walker = walk(parent);
    const nodes = [];
    while (walker.nextNode()) {
      if (walker.currentNode.nodeType == 3) nodes.push(walker.currentNode);
    }
    if (swapOver(parent, nodes, nodes.map((node) => node.nodeValue).join(''))) return;
  }
}

// True when the text, spread over these nodes, holds one of ours.
function swapOver(parent, nodes, text) {
  let found = false;
  const fresh = translate(text, (rule) => {
    found = true;
    watch(parent, rule);
  });
  if (fresh != text && mayWrite(nodes[0])) spread(nodes, text, fresh);
  return found;
}

// Writes a changed text back into the nodes it was read from: character by character where
// lengths agree, else what changed goes into the first node that held a part of it.
function spread(nodes, text, fresh) {
  const same = fresh.length == text.length;
  let start = 0;
  while (text[start] == fresh[start]) start++;
  let end = text.length;
  let tail = fresh.length;
  while (end > start && tail > start && text[end - 1] == fresh[tail - 1]) {
    end--;
    tail--;
  }
  let middle = fresh.slice(start, tail);
  let at = 0;
  for (const node of nodes) {
    const old = node.nodeValue;
    const from = Math.min(Math.max(start - at, 0), old.length);
    const to = Math.min(Math.max(end - at, 0), old.length);
    const share = same ? to - from : start <= at + old.length ? middle.length : 0;
    const value = old.slice(0, from) + middle.slice(0, share) + old.slice(to);
    middle = middle.slice(share);
    at += old.length;
    if (value != old) node.nodeValue = value;
  }
}
