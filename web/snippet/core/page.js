/*
 * The search: every text and every link of the page, a few milliseconds a frame.
 *
 * Roots wait in `todo`, elements whose attributes changed in `touched`; each frame searches for
 * a while and leaves the rest for the next.
 */

import { swapAttributes } from './attributes.js';
import { isRaw } from './hydration.js';
import { enter, follow } from './roots.js';
import { safe } from './safe.js';
import { swapText } from './texts.js';

const D = document;
const FRAME = 8; // ms of searching per frame, half of what a frame has
const FIRST = 24; // ms for a whole page at once, so that a usual one is done before the paint
const STUBBORN = 50; // swaps of one node; beyond that another script is fighting for it
const MOST = 500; // roots that wait; beyond that the whole page is searched again
const SKIP =
  'script,style,noscript,template,textarea,[data-skvoz=off],' +
  '[contenteditable]:not([contenteditable=false])' +
  (C.skip ? ',' + C.skip : '');
const filter = {
  acceptNode: (node) => (node.nodeType == 1 && node.matches(SKIP) ? 2 /* reject */ : 1),
};

export function walk(root) {
  return D.createTreeWalker(root, 5 /* elements, texts */, filter);
}

// Whether the node, or the host of the shadow root it is in, stands in such an element.
function inside(node, selector) {
  while (node) {
    const element = node.nodeType == 1 ? node : node.parentElement;
    if (element && element.closest(selector)) return true;
    node = node.getRootNode().host;
  }
}

export function isBarred(node) {
  return inside(node, SKIP);
}

const efforts = new WeakMap(); // node → how often it was swapped
let raw = []; // what waits for its framework to take the server's markup over

// False when the page's framework is not ready for it, or another script keeps undoing it.
export function mayWrite(node) {
  if (isRaw(node)) {
    if (raw.push(node) == 1) setTimeout(safe(tryAgain), 50);
    return false;
  }
  const times = (efforts.get(node) || 0) + 1;
  efforts.set(node, times);
  return times <= STUBBORN;
}

function tryAgain() {
  const waiting = raw;
  raw = [];
  waiting.forEach(search);
  work(FRAME);
}

let todo = [];
let touched = [];
let walker = null;
let frame = 0;
let spent = 0;
let booked = false;

export function search(node) {
  if (isBarred(node)) return;
  if (todo.length > MOST) todo = [D];
  else todo.push(node);
}

// One step; false when there is nothing left to look at.
function step() {
  if (touched.length) {
    const element = touched.pop();
    if (!isBarred(element)) look(element);
  } else if (walker) {
    // The page may have taken away what we stood on.
    if (!walker.root.contains(walker.currentNode)) walker.currentNode = walker.root;
    if (walker.currentNode.nodeType == 1) enter(walker.currentNode);
    look(walker.currentNode);
    if (!walker.nextNode()) walker = null;
  } else if (todo.length) {
    walker = walk(todo.shift());
  } else {
    return false;
  }
  return true;
}

function look(node) {
  if (C.within && !inside(node, C.within)) return;
  if (node.nodeType == 3) swapText(node);
  else if (node.nodeType == 1) swapAttributes(node);
}

export function work(budget) {
  const began = performance.now();
  if (began - frame > 16) {
    frame = began;
    spent = 0;
  }
  if (spent > budget) return later();
  for (let count = 1; step(); count++) {
    if (count % 16 == 0 && performance.now() - began + spent > budget) {
      later();
      break;
    }
  }
  spent += performance.now() - began;
}

function later() {
  if (booked) return;
  booked = true;
  // A hidden page has no frames, a timer runs anyway.
  setTimeout(safe(() => {
    booked = false;
    work(FRAME);
  }), 16);
}

export function searchPage(budget) {
  follow(D);
  todo = [];
  walker = null;
  search(D);
  spent = 0;
  work(budget || FIRST);
}

export function noticed(records) {
  for (const record of records) {
    if (record.type == 'attributes') touched.push(record.target);
    else if (record.type == 'characterData') search(record.target);
    else record.addedNodes.forEach(search);
  }
  work(FRAME);
}
