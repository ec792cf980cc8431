/*
 * Links to messengers carry the visitor's session, so that a bot or an operator's line can hand
 * it back. Only the link's address is touched, whoever put it there and whenever.
 */

import { withSession } from '../messenger_links.js';

const plain = new Map(); // an address as we wrote it → as the page did

S.each((link) => {
  const href = link.getAttribute('href');
  if (!href) return;
  const own = plain.get(href) || href;
  const session = S.session();
  const fresh = (session && withSession(own, session, document.documentElement.lang)) || own;
  if (fresh == href) return;
  plain.set(fresh, own);
  link.setAttribute('href', fresh);
});
S.listen('session', () => S.again());
