/*
 * Buttons of messengers: plain links that carry the session, so that whoever answers there can
 * say which visit the message came from.
 */

import { withSession } from '../../messenger_links.js';
import { CHAT, PHONE, PLANE, icon, make } from './elements.js';
import { language } from './words.js';

// Colours by which people know them, dark enough for a white sign.
const KNOWN = {
  telegram: ['Telegram', '#1e8fc6', PLANE],
  whatsapp: ['WhatsApp', '#128c4b', CHAT],
  viber: ['Viber', '#7360f2', PHONE],
  vk: ['VK', '#07f', CHAT],
  max: ['MAX', '#5a3fd6', CHAT],
};

export function messengers(list) {
  const links = list.filter(({ kind }) => KNOWN[kind]).map(link);
  const renew = () => links.forEach((one) => one.renew());
  S.listen('session', renew);
  return { element: make('ul', {}, ...links.map((one) => make('li', {}, one.element))), renew };
}

function link({ kind, address }) {
  const [name, colour, drawing] = KNOWN[kind];
  const element = make('a', { part: 'messenger', rel: 'noopener' }, icon(drawing), name);
  element.style.setProperty('--brand', colour);
  if (/^https:/.test(address)) element.target = '_blank';
  element.addEventListener('click', S.safe(() => S.tell('messenger_click', kind)));
  return {
    element,
    renew: S.safe(() => {
      const session = S.session();
      element.href = (session && withSession(address, session, language)) || address;
    }),
  };
}
