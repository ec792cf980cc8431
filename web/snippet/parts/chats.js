/*
 * Links to chats hold tracking numbers too. Only for owners whose tracking numbers have accounts
 * there: a chat with a number that has none would be a contact lost.
 */

const CHAT = /^(https?:\/\/(wa\.me|(api|web)\.whatsapp\.com)\/|whatsapp:|viber:)/i;

S.each((link) => {
  const href = link.getAttribute('href');
  if (!CHAT.test(href)) return;
  // A plus in an address is a blank, so it may be written by its code.
  const plus = /%2b/i.exec(href);
  const text = plus ? href.split(plus[0]).join('+') : href;
  const fresh = S.translate(text, (rule) => S.watch(link, rule));
  if (fresh == text) return;
  link.setAttribute('href', plus ? fresh.split('+').join(plus[0]) : fresh);
});
