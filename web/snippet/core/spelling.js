/*
 * How a number or an address looks on a page: finding it in text, and spelling another its way.
 *
 * A text is searched for a number only when its digits, nothing else, hold the number's national
 * digits. What is found is then judged by what stands around it. (The build shortens names that
 * end in `_`.)
 */

const COUNTRY = /^\+([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
// Dialled before a national number where that is not 0 (libphonenumber's metadata). People write
// +8 (800) too: no other country's code is 8.
const TRUNKS = { 1: '1', 7: '\\+8(?=[-( ])|8', 36: '0G6', 375: '8G0?', 993: '8' };
const LETTERS = /[a-z\u0430-\u044f]{2}/i;
const APART = /(\d[-/( ]{0,3}){5,}\d|\d[:/]\d+/g;

// When `before<prefix_rest>after`, in plain signs, is not ours. N stands for what goes by
// itself: digits enough for a number, 24/7, 18:00.
const OTHERS = RegExp(
  // more digits without a space between, 12-495…, …00-55 (but two numbers may share a slash);
  // another country's code, +1 8 495…; sums: $ € £ ₽ руб
  '(\\d[-/(]*|N[-(]*|\\+[-( ]*(\\d{1,4}[-/( ]*)?|[$\u20ac\xa3\u20bd] *)<' +
    '|>([-/]*\\d|-*N| *([$\u20ac\xa3\u20bd]|\u0440\u0443\u0431))' +
    // without a prefix: digits before the area code, 1 (495)…; №, #, ИНН; decimals; 4 950 000 000;
    // dates
    '|((\\d|\u2116|#|\u0438\u043d\u043d)[-/( :=]*|\\d,)<_' +
    '|<_([^>]*>[,:]\\d|(\\d( \\d{3}){3}|(\\d\\d[-/]){2}\\d{4}|\\d{4}(-\\d\\d){2})>)' +
    // groups with but spaces between them that go on: cards, accounts
    '|[\\dN][-/( ]*<(\\d*_\\d+ |_)[\\d ]*>|<\\d*_\\d+ [\\d ]*>[-/ ]*[\\dN]' +
    // parts of words, names and addresses
    '|[\\w@]<\\d*_\\d+>|<\\+?\\d*_\\d+>(?!ext|x\\d)[\\w@]'
);

// `keys`: the letters on the keys from 2 on, where numbers may be written with them.
export function spellPhone(number, keys) {
  const [, country, national] = COUNTRY.exec(number);
  const trunk = TRUNKS[country] || '0';
  const code = '(?:(?:\\+|8G?10|0?011|00)G)?' + [...country].join('G') + 'G(?:' + trunk + ')?';
  const digits = [...national].map((digit, place) =>
    // 8-800-FLOWERS: letters come after the area code.
    keys && place > 2 && digit > 1 ? '[' + digit + keys[digit - 2] + ']' : digit
  );
  // Six digits alone say too little.
  const optional = national.length > 6 ? '?' : '';
  const pattern = '((?:' + code + '|' + trunk + ')G)' + optional + '(' + digits.join('G') + ')';
  return {
    from: number,
    country_: country,
    national_: national,
    pattern_: RegExp(pattern.replace(/G/g, '[-/(\\s]{0,20}'), 'gi'),
    whole_: country + national + ',' + trunk.replace(/\D/g, '') + national,
  };
}

export function spellMail(address) {
  const literal = address.replace(/[^\w@]/g, '\\$&');
  return {
    from: address,
    pattern_: RegExp('(^|[^\\w.+-])(' + literal + ')(?![\\w-]|\\.\\w)', 'gi'),
  };
}

let lastText;
let lastDigits;

// The same text is asked about for every number there is.
function digitsOf(text) {
  if (text !== lastText) lastDigits = text.replace(/\D+/g, '');
  lastText = text;
  return lastDigits;
}

// Every sign that may stand inside a number as one of `-`, `/`, `(`, space and line break (what
// phonenumbers takes for punctuation, and bullets and marks without width); lengths stay.
function plain(text) {
  return text
    .replace(/[^\S\n]/g, ' ')
    .replace(/[\xad\xb7\u200b-\u2069\u2212\u30fc)[\].~<>]/g, '-');
}

// The text with `give(body)` in place of each occurrence.
export function swap(text, { pattern_: pattern, national_: national }, give) {
  if (!national) {
    return text.includes('@')
      ? text.replace(pattern, (all, before, body) => before + give(body))
      : text;
  }
  const digits = digitsOf(text);
  const here =
    digits.includes(national) ||
    (digits.includes(national.slice(0, 3)) && LETTERS.test(text));
  return here ? swapHere(text, pattern, give) : text;
}

function swapHere(text, pattern, give) {
  const signs = plain(text);
  const near = (from, to) => signs.slice(from, to).toLowerCase().replace(APART, 'N');
  let fresh = '';
  let done = (pattern.lastIndex = 0);
  let match;
  while ((match = pattern.exec(signs))) {
    const [all, prefix = '', rest] = match;
    let start = match.index;
    let end = start + all.length;
    pattern.lastIndex = start + 1; // what is a prefix here may have another meaning: 24/7 8 (495)…
    while (LETTERS.test(text.slice(end - 1, end + 1))) end++; // 1-800-CONTACTS
    const before = near(Math.max(0, start - 40), start);
    if (OTHERS.test(before + '<' + prefix + '_' + rest + '>' + near(end, end + 40))) continue;
    // "(495) 000-00-00": the bracket that is closed inside.
    if (text[start - 1] == '(' && /^[^(]*\)/.test(text.slice(start, end))) start--;
    fresh += text.slice(done, start) + give(text.slice(start, end));
    done = pattern.lastIndex = end;
  }
  return fresh + text.slice(done);
}

// The page's own spelling with the digits of another number; the display form where country or
// length differ, and where letters stood for digits.
export function respell(body, { from, country_, national_ }, to, display) {
  let next = national_ && national_.length - body.replace(/\D/g, '').length;
  if (!to.startsWith('+' + country_) || to.length != from.length || next > 0) return display;
  const fresh = to.slice(country_.length + 1);
  return body.replace(/\d/g, (digit) => fresh[next++] || digit);
}

// Whether a short text may be a part of that number, split by inline tags.
export function mayBePiece(text, { whole_ }) {
  const digits = digitsOf(text);
  return !!digits && whole_.includes(digits) && /^[-/(\s\d+]{1,40}$/.test(plain(text));
}
