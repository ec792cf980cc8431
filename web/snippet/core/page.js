/*
 * The search: every text and every link of the page, a few milliseconds a frame.
 *
 * Roots wait in `todo`; each frame searches for a while and leaves the rest for the next.
 */

import { WATCHED, swapAttributes } from './attributes.js';
import { hooks, load } from './load.js';
import { D, safe } from './safe.js';
import { routed } from './routes.js';
import { swapText } from './texts.js';

const BUDGET = 16; // ms of searching at once: a usual page is done before the paint
const STUBBORN = 100; // tries with one node; beyond that another script is fighting for it
const MOST = 500; // roots that wait; beyond that the whole page is searched again
// ms until the next look whether a framework has taken its markup over, longer each time
const WAIT = 20;
const SKIP =
  'head,script,style,noscript,template,option:not([value]),[data-skvoz=off],' +
  '[contenteditable]:not([contenteditable=false])' +
  (C.skip ? ',' + C.skip : '');
// Where frameworks put what the server rendered; they complain when it is not as they left it.
const HOLDERS =
  '#root,#app,#__next,#__nuxt,#___gatsby,[data-reactroot],[data-server-rendered],' +
  '[data-skvoz-hydrate]';
const filter = {
  acceptNode: (node) => (node.nodeType == 1 && node.matches(SKIP) ? 2 /* reject */ : 1),
};

export const looks = []; // what parts do with each element

export function walk(root) {
  return D.createTreeWalker(root, 5 /* elements, texts */, filter);
}

function elementOf(node) {
  return node.nodeType == 1 ? node : node.parentElement;
}

// Whether the node, or the host of the shadow root it is in, stands in such an element.
function inside(node, selector) {
  for (; node; node = node.getRootNode().host) {
    const element = elementOf(node);
    if (element && element.closest(selector)) return true;
  }
}

export function isBarred(node) {
  return inside(node, SKIP);
}

const efforts = new WeakMap(); // node → how often we tried to swap it

// False when the page's framework is not ready for it, or another script keeps undoing it.
export function mayWrite(node) {
  const element = elementOf(node);
  const times = (efforts.get(node) || 0) + 1;
  efforts.set(node, times);
  // Next.js may own the whole document; its scripts stand in the head.
  if (element.closest(HOLDERS) || D.head.querySelector('[src*="/_next/"]')) {
    load('depths');
    if (!hooks.isTaken || !hooks.isTaken(element)) {
      setTimeout(safe(() => {
        search(node);
        work();
      }), WAIT * times);
      return false;
    }
  }
  return times <= STUBBORN;
}

let todo = [];
let walker;
let booked;

export function search(node) {
  if (todo.length > MOST) todo = [D];
  else todo.push(node);
}

// One step; false when there is nothing left to look at.
function step() {
  if (walker) {
    // The page may have taken away what we stood on.
    if (!walker.root.contains(walker.currentNode)) walker.currentNode = walker.root;
    look(walker.currentNode);
    if (!walker.nextNode()) walker = 0;
    return true;
  }
  const root = todo.shift();
  if (root && !isBarred(root)) walker = walk(root);
  return root;
}

function look(node) {
  const element = node.nodeType == 1;
  // Shadow roots and frames are searched by a script of their own.
  if (element && (node.shadowRoot || /^iframe$|-/.test(node.localName))) load('depths');
  if (element) looks.forEach((look) => look(node));
  if (C.within && !inside(node, C.within)) return;
  if (element) swapAttributes(node);
  else if (node.nodeType == 3) swapText(node);
}

export function work() {
  const end = performance.now() + BUDGET;
  for (let count = 1; !booked && step(); count++) {
    if (count % 16 == 0 && performance.now() > end) {
      // A hidden page has no frames, a timer runs anyway.
      booked = setTimeout(safe(() => {
        booked = 0;
        work();
      }), 16);
    }
  }
}

export function searchPage() {
  booked = walker = 0;
  todo = [];
  search(D);
  work();
}

// Hears of all that changes in a tree.
export function follow(root) {
  new MutationObserver(safe(noticed)).observe(root, {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: WATCHED,
  });
}

function noticed(records) {
  for (const { type, target, addedNodes } of records) {
    if (type == 'childList') addedNodes.forEach(search);
    else search(target);
  }
  work();
  routed(); // whatever changed the address, something on the page changes with it
}
