/*
 * The trees that make up a page: the document, open shadow roots, frames of the same origin.
 */

import { WATCHED } from './attributes.js';
import { attend } from './eyes.js';
import { noticed, search, work } from './page.js';
import { on, safe } from './safe.js';

const followed = new WeakSet();

// Hears of all that changes in a tree, and of what the visitor does in it.
export function follow(root) {
  if (followed.has(root)) return;
  followed.add(root);
  new MutationObserver(safe(noticed)).observe(root, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: WATCHED,
  });
  on(root, 'load', (event) => {
    if (event.target.nodeName == 'IFRAME') {
      search(event.target);
      work(8);
    }
  });
  if (root.nodeType == 9) attend(root);
}

// A tree behind this element is followed and searched too.
export function enter(element) {
  const name = element.localName;
  const root = element.shadowRoot || (name == 'iframe' && ownDocument(element));
  if (root) {
    follow(root);
    search(root);
  } else if (name.includes('-') && element.matches(':not(:defined)')) {
    customElements.whenDefined(name).then(safe(() => {
      search(element);
      work(8);
    }));
  }
}

// Null where the frame is of another origin, or cares for itself.
function ownDocument(frame) {
  const inner = frame.contentDocument;
  const skvoz = inner && frame.contentWindow.skvoz;
  return skvoz && skvoz.loaded ? null : inner;
}
