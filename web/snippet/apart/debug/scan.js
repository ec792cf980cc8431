/*
 * Where the numbers and addresses stand on the page, and which of them belong to nobody.
 *
 * A number may be split over tags, so a short element's whole text is read too; what was found
 * further in is not counted again further out.
 */

const SKIP = 'script,style,noscript,template,textarea';
const OFF =
  '[data-skvoz=off],[contenteditable]:not([contenteditable=false])' +
  (S.C.skip ? ',' + S.C.skip : '');
const SHORT = 200; // characters of a text that may be a number split over tags
// What begins like a phone number: a plus, a Russian eight, a code in brackets.
const PHONE = /(?:^|[^\d\w+])((?:\+\d|8(?=[\s(-]|\d{10}\b)|\(\d{3,5}\))[\d\s().\u2010-\u2015-]{5,20}\d)(?!\d)/g;
const MAIL = /[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,10}(?![\w-])/gi;

// The places of each rule, and of each stranger by its digits or its address.
export function scan(panel) {
  const places = new Map();
  const strangers = new Map();

  // `claims`: what was found in this element so far.
  function read(text, element, claims, how) {
    if (!/\d\d|@/.test(text)) return;
    const put = (found, key, place) => {
      if (!claims.has(key)) found.set(key, (found.get(key) || []).concat(place));
      claims.add(key);
    };
    const unknown = how == 'joined' && claims.size ? [] : findUnknown(text);
    const hit = new Set();
    const pending = S.translate(text, (rule) => hit.add(rule), how == 'link') != text;
    hit.forEach((rule) => put(places, rule, { element, text, pending }));
    for (const one of unknown) {
      const key = /@/.test(one) ? one.toLowerCase() : one.replace(/\D/g, '').slice(-10);
      put(strangers, key, { element, text: one });
    }
  }

  function walk(root) {
    const claims = new Set();
    if (!root || root == panel || (root.matches && root.matches(SKIP))) return claims;
    const join = (inner) => walk(inner).forEach((claim) => claims.add(claim));
    for (const child of root.childNodes) {
      if (child.nodeType == 1) join(child);
      else if (child.nodeType == 3) read(child.nodeValue, root, claims);
    }
    if (root.nodeType != 1) return claims;
    join(root.shadowRoot);
    join(root.contentDocument);
    if (root.firstElementChild && root.textContent.length <= SHORT) {
      read(root.textContent, root, claims, 'joined');
    }
    const link = /^(tel|callto|sms|mailto):([^?;]*)/i.exec(root.getAttribute('href'));
    // A link's own text and its address are two things that can be wrong.
    if (link) read(unescape(link[2]), root, new Set(), 'link');
    return claims;
  }

  walk(document);
  return { places, strangers };
}

function findUnknown(text) {
  const found = text.match(MAIL) || [];
  text.replace(PHONE, (all, phone) => {
    const { length } = phone.replace(/\D/g, '');
    if (length > 8 && length < 16) found.push(phone);
  });
  return found.filter((one) => {
    let ours = false;
    S.translate(one, () => (ours = true));
    return !ours;
  });
}

function within(element, selector) {
  for (; element; element = element.getRootNode().host) {
    if (element.closest(selector)) return true;
  }
}

// What ails this place: the settings or the page keep us away, nobody sees it, or it still waits.
export function ailments({ element, pending }) {
  const left = within(element, OFF) || (S.C.within && !within(element, S.C.within));
  return [
    !element.getClientRects().length && 'hidden',
    left ? 'left' : pending && 'pending',
  ].filter(Boolean);
}
