/*
 * Links to chats hold tracking numbers too. Only for owners whose tracking numbers have accounts
 * there: a chat with a number that has none would be a contact lost.
 */

const CHAT = /^(https?:\/\/(wa\.me|(api|web)\.whatsapp\.com)\/|whatsapp:|viber:)/i;

S.each((link) => {
  const href = link.getAttribute('href');
  if (!CHAT.test(href)) return;
  const fresh = S.translate(href, (rule) => S.watch(link, rule));
  if (fresh != href) link.setAttribute('href', fresh);
});
