/*
 * Links to messengers that carry the visitor's session, as the code of 22 characters that
 * `tracker/ids.py` reads. Pure: an address in, an address out.
 *
 * A bot hears of it by the parameter its messenger hands on; a person gets it as a line of the
 * message that the visitor is about to send. What a link says already stays: a text is written
 * on, a parameter of its own is left alone, unless it asks for more by a `-` or `_` at its end.
 */

// What stands before the `?`, and the parameter that the messenger hands on.
const LINKS = [
  // https://core.telegram.org/api/links: 64 characters, names of bots end with "bot"
  [/^(https?:)?\/\/(t|telegram)\.me\/\w+bot\/?$/i, 'start'],
  [/^(https?:)?\/\/(t|telegram)\.me\/(?!(share|proxy|socks|iv|login|joinchat)\/?$)(\w+|\+\d+)\/?$/i, 'text'],
  [/^tg:(\/\/)?resolve\/?$/i, 'text'],
  // https://dev.max.ru/help/deeplinks: 128 characters
  [/^(https?:)?\/\/max\.ru\/\w+bot\/?$/i, 'start'],
  // https://dev.vk.com/ru/reference/objects/message: `ref` and `ref_source`
  [/^(https?:)?\/\/(vk\.me\/[\w.]+|(m\.)?vk\.(com|ru)\/write-\d+)\/?$/i, 'ref'],
  // https://developers.facebook.com/docs/messenger-platform/discovery/m-me-links
  [/^(https?:)?\/\/m\.me\/[\w.]+\/?$/i, 'ref'],
  // https://developers.viber.com/docs/tools/deep-links: heard by the bot as `context`
  [/^viber:\/\/pa\/?$/i, 'context'],
  // https://faq.whatsapp.com/5913398998672934: a text that waits to be sent
  [/^(https?:)?\/\/wa\.me\/\+?\d+\/?$/i, 'text'],
  [/^((https?:)?\/\/(api|web)\.whatsapp\.com|whatsapp:\/)\/send\/?$/i, 'text'],
];
const LONGEST = 64; // characters, the strictest messenger's

function parameter(head, query) {
  const [, name] = LINKS.find((link) => link[0].test(head)) || [];
  if (/^tg:/i.test(head) && /bot$/i.test(query.get('domain'))) return 'start';
  return name == 'ref' && query.get(name) && /vk\./i.test(head) ? 'ref_source' : name;
}

// A session's id in 22 characters, base64url.
export function code(session) {
  const bytes = session.match(/[\da-f]{2}/gi).map((pair) => parseInt(pair, 16));
  const text = btoa(String.fromCharCode(...bytes));
  return text.slice(0, 22).replace(/\+/g, '-').replace(/\//g, '_');
}

// The address with the session, or null if it is no link that can carry one.
export function withSession(url, session, language) {
  const [, head, told, rest] = /^([^?#]*)\??([^#]*)([^]*)$/.exec(url);
  const query = new URLSearchParams(told);
  const name = parameter(head, query);
  if (!name || /(^|&)start(app|group|channel|attach)\b/.test(told)) return null;
  const fresh = code(session);
  if (url.includes(fresh)) return url; // the page has made a copy of a link
  const own = query.get(name) || '';
  if (name == 'text') {
    const line = (/^en/i.test(language) ? 'Reference number: ' : 'Номер обращения: ') + fresh;
    query.set(name, own ? own + '\n\n' + line : line + '\n\n');
  } else {
    if (/[^_-]$/.test(own) || own.length + fresh.length > LONGEST) return null;
    query.set(name, own + fresh);
  }
  // Apps do not read a plus as a blank.
  return head + '?' + String(query).replace(/\+/g, '%20') + rest;
}
