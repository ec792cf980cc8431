/*
 * How a number or an address looks on a page; pure.
 */

const BETWEEN = '[\\s\\xad\\u200b\\u2060()\\[\\].\\-\\u2010-\\u2015\\u2212/]{0,20}';
const COUNTRY = /^\+([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
const PIECE = /^[\d\s\xad\u200b\u2060()[\].\-\u2010-\u2015\u2212/+]+$/;

// +7, 7, 8, 00…, +44 (0), a bare national number; anything usual between the digits.
export function spellPhone(from) {
  const parts = COUNTRY.exec(from);
  if (!parts) return null;
  const country = parts[1];
  const national = parts[2];
  const trunk = country == 7 ? '8' : country == 1 ? '1' : '0';
  const prefix =
    '(?:(?:(?:\\+|00)' + BETWEEN + ')?' + spaced(country) + BETWEEN +
    '(?:\\(0\\)' + BETWEEN + ')?|' + trunk + BETWEEN + ')?';
  return {
    from, country, national,
    written: [country + national, trunk + national],
    pattern: new RegExp('(^|[^\\d+])(' + prefix + '\\(?' + spaced(national) + ')(?!\\d)', 'g'),
  };
}

function spaced(digits) {
  return digits.split('').join(BETWEEN);
}

export function spellMail(from) {
  const literal = from.replace(/[^\w@]/g, '\\$&');
  return {
    from,
    written: [],
    pattern: new RegExp('(^|[^\\w.+-])(' + literal + ')(?![\\w-]|\\.\\w)', 'gi'),
  };
}

export function swap(text, spelling, give) {
  return text.replace(spelling.pattern, (all, before, body) => before + give(body));
}

// The page's own spelling with other digits; the display form where lengths differ.
export function respell(text, old, to, display) {
  const fresh = COUNTRY.exec(to);
  if (!fresh || fresh[1] != old.country || fresh[2].length != old.national.length) {
    return display;
  }
  let prefix = text.replace(/\D/g, '').length - old.national.length;
  let next = 0;
  return text.replace(/\d/g, (digit) => (prefix-- > 0 ? digit : fresh[2][next++]));
}

export function mayBePiece(text, spelling) {
  const digits = text.replace(/\D/g, '');
  return PIECE.test(text) && spelling.written.some((written) => written.includes(digits));
}
