/*
 * The trees behind a page's elements: open shadow roots, frames of the same origin, and markup
 * from the server that a framework is about to take over. Loaded where the page has any.
 */

import { isTaken } from './depths/hydration.js';

const followed = new WeakSet();

function follow(root) {
  if (followed.has(root)) return;
  followed.add(root);
  S.follow(root);
  hearFrames(root);
  if (root.nodeType == 9) S.attend(root);
}

function hearFrames(root) {
  S.on(root, 'load', (event) => {
    if (event.target.localName == 'iframe') find(event.target);
  });
}

function find(node) {
  S.search(node);
  S.work();
}

// Null where the frame is of another origin, or cares for itself.
function ownDocument(frame) {
  const inner = frame.contentDocument;
  const skvoz = inner && frame.contentWindow.skvoz;
  return skvoz && skvoz.loaded ? null : inner;
}

S.hooks.isTaken = isTaken;
S.each((element) => {
  const name = element.localName;
  const root = element.shadowRoot || (name == 'iframe' && ownDocument(element));
  if (root) {
    follow(root);
    S.search(root);
  } else if (name.includes('-') && element.matches(':not(:defined)')) {
    customElements.whenDefined(name).then(S.safe(() => find(element)));
  }
});
hearFrames(document);
