/*
 * Numbers and addresses in attributes: links that dial or write, and texts that are read out.
 */

import { watch } from './eyes.js';
import { decode } from './memory.js';
import { mayWrite } from './page.js';
import { rules, translate } from './rules.js';

export const WATCHED = ['href', 'title', 'aria-label', 'placeholder', 'alt'];
const LONGEST = 2000; // characters of a value
const LINK = /^(tel:|callto:|sms:|skype:|facetime(?:-audio)?:|mailto:)([^?;]*)([^]*)$/i;
const CHAT = /^(?:https?:\/\/)?(t\.me|(?:api\.|web\.)?whatsapp\b|wa\.me|viber|tg|vk\.me|m\.me|max\.ru)[:./]/i;

export const looks = []; // what parts do with each element

export function swapAttributes(element) {
  for (const look of looks) look(element);
  for (const attribute of element.attributes) {
    const name = attribute.localName;
    const value = attribute.value;
    if (value.length > LONGEST || !/[\d@]/.test(value)) continue;
    if (name == 'href') swapLink(element, attribute, value);
    else if (isRead(element, name)) write(element, attribute, translate(value, () => {}));
  }
}

function isRead(element, name) {
  return (
    WATCHED.includes(name) ||
    /^data-(?!skvoz)/.test(name) ||
    (name == 'value' && /^(button|submit|reset)$/.test(element.type))
  );
}

function swapLink(element, attribute, value) {
  const link = LINK.exec(value);
  const found = (rule) => watch(element, rule);
  if (link) {
    const old = decode(link[2]);
    const fresh = translate(old, found, true);
    if (fresh != old) write(element, attribute, link[1] + encodeURI(fresh) + link[3]);
  } else if (C.chats && CHAT.test(value)) {
    write(element, attribute, translate(value, found));
  }
}

function write(element, attribute, fresh) {
  if (fresh != attribute.value && mayWrite(element)) attribute.value = fresh;
}

// What a click on this link means: an event's type and target, for each rule it is about.
export function meaning(link) {
  const value = link.getAttribute('href') || '';
  const parts = LINK.exec(value);
  const chat = CHAT.exec(value);
  const hit = new Set();
  if (parts) translate(decode(parts[2]), (rule) => hit.add(rule));
  return { hit, chat: chat && chat[1].toLowerCase() };
}
