/*
 * Numbers and addresses in the page's text, whole or split by inline tags.
 */

import { watch } from './eyes.js';
import { mayWrite, walk } from './page.js';
import { rules, translate } from './rules.js';
import { mayBePiece } from './spelling.js';

export function swapText(node) {
  const text = node.nodeValue;
  const parent = node.parentElement;
  if (!parent || parent.localName == 'textarea' || !/[\d@]/.test(text)) return;
  const found = swapOver(parent, [node], text);
  if (!found && rules.some((rule) => rule.phone && rule.known_.some((old) => mayBePiece(text, old)))) {
    swapPieces(parent);
  }
}

// `+7 <b>495</b> 000-00-00`: the smallest element around that holds a whole number.
function swapPieces(parent) {
  for (let up = 0; parent && up < 4; up++, parent = parent.parentElement) {
    if (parent.textContent.length > 200) return;
    const walker = walk(parent);
    const nodes = [];
    while (walker.nextNode()) {
      if (walker.currentNode.nodeType == 3) nodes.push(walker.currentNode);
    }
    if (swapOver(parent, nodes, nodes.map((node) => node.nodeValue).join(''))) return;
  }
}

// True when the text, spread over these nodes, holds one of ours. It is written back character
// by character where lengths agree, else into the first node that held a part of it.
function swapOver(parent, nodes, text) {
  let found = false;
  let fresh = translate(text, (rule) => {
    found = true;
    watch(parent, rule);
  });
  if (fresh != text && mayWrite(nodes[1] ? parent : nodes[0])) {
    const same = fresh.length == text.length;
    for (let last; nodes[1] && fresh.endsWith((last = nodes[nodes.length - 1].nodeValue)); ) {
      fresh = fresh.slice(0, fresh.length - last.length);
      nodes.pop();
    }
    for (const node of nodes) {
      const old = node.nodeValue;
      const end = same || fresh.startsWith(old) ? old.length : fresh.length;
      node.nodeValue = fresh.slice(0, end);
      fresh = fresh.slice(end);
    }
  }
  return found;
}
