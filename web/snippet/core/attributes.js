/*
 * Numbers and addresses in attributes: links that dial or write, and texts that are read out.
 */

import { watch } from './eyes.js';
import { decode } from './memory.js';
import { mayWrite } from './page.js';
import { translate } from './rules.js';

export const WATCHED = ['href', 'title', 'aria-label', 'placeholder', 'alt'];
const LINK = /^((?:tel|callto|sms|skype|mailto):)([^?;]*)([^]*)/i;
const CHAT = /^(?:https?:\/\/)?(t\.me|wa\.me|(?:api\.)?whatsapp|viber|tg|vk\.me|m\.me|max\.ru)\b/i;
const LONGEST = 2000; // characters of a value

export function swapAttributes(element) {
  for (const attribute of element.attributes) {
    const name = attribute.localName;
    const value = attribute.value;
    if (value.length > LONGEST || !/[\d@]/.test(value)) continue;
    let fresh;
    if (name == 'href') {
      const link = LINK.exec(value);
      if (link) {
        const old = decode(link[2]);
        fresh = translate(old, (rule) => watch(element, rule), true);
        fresh = fresh != old && link[1] + encodeURI(fresh) + link[3];
      }
    } else if (
      WATCHED.includes(name) ||
      /^data-(?!skvoz)/.test(name) ||
      (name == 'value' && element.matches('input[type=button],input[type=submit]'))
    ) {
      fresh = translate(value);
    }
    if (fresh && fresh != value && mayWrite(element)) attribute.value = fresh;
  }
}

// What a link is for: `found` hears of each rule it is about; the messenger it leads to.
export function readLink(href, found) {
  const link = LINK.exec(href);
  if (link) translate(decode(link[2]), found);
  const chat = CHAT.exec(href);
  return chat && chat[1];
}
