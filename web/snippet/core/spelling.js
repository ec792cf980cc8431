/*
 * How a number or an address looks on a page: finding it in text, and spelling another its way.
 *
 * A number is looked for by its national digits among the text's digits alone; only where they
 * stand in a row is it judged what is between, before and behind them. So a text costs one pass
 * whatever it is made of, and one that holds no number of ours costs next to nothing.
 */

const COUNTRY = /^\+([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
// Dialled before a national number where that is not 0 (libphonenumber's metadata).
const TRUNKS = { 1: '1', 7: '8', 36: '06', 39: ' ', 375: '80 8', 692: '1', 993: '8' };
const ABROAD = ['810', '011', '00', '']; // dialled before a country's code

const LETTERS = /[a-z\u0430-\u044f]{2}/i;
// A number in plain signs; letters ("8-800-FLOWERS") come last.
const BODY = /^(\d[-/(\s]*){3,}([a-z\u0430-\u044f][-/(\s]*)*$/;
const MANY = /(\d[-/( ]{0,3}){5,}\d/g;

// When `before<body>after`, in plain signs, is not ours. L opens a body without a prefix that
// would tell, C one whose prefix stands apart; N are digits enough for a number of its own.
const OTHERS = RegExp(
  // more digits without a space between: 12-495…, …00-55; two numbers may share a slash
  '(\\d[-/(]*|N[-(]*)<|>([-/]*\\d|-*N)' +
    // another country's code, digits before the area code: +1 8 495…, 1 (495)…
    '|\\+[-( ]*\\d{1,4}[-/( ]*<|\\d[-/( ]*<L' +
    // groups that go on and have but spaces between them: cards, accounts
    '|N[-( ]*<L[\\d ]*>|[\\dN][-/( ]*<\\d+ [\\d ]*>|<L?\\d+ [\\d ]*>[-/ ]*[\\dN]' +
    // parts of words, names and addresses
    '|[\\w@]<[LC]*\\d+>|<[LC]*\\d+>(?!ext|x\\d)[\\w@]' +
    // sums: $ € £ ₽ руб; 4 950 000 000; decimals
    '|[$\u20ac\xa3\u20bd] *<|> *([$\u20ac\xa3\u20bd]|\u0440\u0443\u0431)|<L\\d([- ]\\d{3})+>' +
    '|\\d[,:=]<L|<L[^>]*>[,:]\\d' +
    // dates; №, #, ИНН
    '|<L(\\d\\d[-/]\\d\\d[-/]\\d{4}|\\d{4}-\\d\\d-\\d\\d)>|(\u2116|#|\u0438\u043d\u043d)[ :]*<L'
);

export function spellPhone(number) {
  const parts = COUNTRY.exec(number);
  if (!parts) return null;
  const [, country, national] = parts;
  const trunks = (TRUNKS[country] || '0').split(' ');
  const coded = trunks.map((trunk) => country + trunk).concat(country); // +44 (0)20…, +44 20…
  return {
    from: number,
    country,
    national,
    coded, // where a plus may stand
    // What may stand before the national digits, the longest first.
    prefixes: [].concat(
      ...ABROAD.map((abroad) => coded.map((code) => abroad + code)),
      trunks,
      ''
    ),
    whole: [country, ...trunks].map((prefix) => prefix + national).join(),
  };
}

export function spellMail(address) {
  const literal = address.replace(/[^\w@]/g, '\\$&');
  return {
    from: address,
    mail: RegExp('(^|[^\\w.+-])(' + literal + ')(?![\\w-]|\\.\\w)', 'gi'),
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

// A digit, or that of the key a letter stands on: Latin by ITU-T E.161, Cyrillic by fours.
function keyOf(symbol) {
  const code = symbol.toLowerCase().charCodeAt(0);
  return code < 97
    ? symbol
    : code < 123
    ? '22233344455566677778889999'[code - 97]
    : ((code - 1072) >> 2) + 2;
}

// Every sign that may stand inside a number as one of `-`, `/`, `(`, space and line break (what
// phonenumbers takes for punctuation, and bullets and marks without width); lengths stay.
function plain(text) {
  return text
    .replace(/[^\S\n]/g, ' ')
    .replace(/[\xad\xb7\u200b-\u2069\u2212\u30fc)[\].~<>]/g, '-')
    .toLowerCase();
}

// The text with `give(body)` in place of each occurrence.
export function swap(text, spelling, give) {
  const { mail, national } = spelling;
  if (mail) {
    return text.includes('@')
      ? text.replace(mail, (all, before, body) => before + give(body))
      : text;
  }
  const digits = digitsOf(text);
  const area = national.slice(0, 3);
  return digits.includes(national) || (digits.includes(area) && text.length < 5e3 && LETTERS.test(text))
    ? swapHere(text, spelling, give)
    : text;
}

function swapHere(text, { national, prefixes, coded }, give) {
  const at = []; // where in the text each symbol stands
  let symbols = '';
  text.replace(/[\da-z\u0430-\u044f]/gi, (symbol, index) => {
    at.push(index);
    symbols += keyOf(symbol);
  });
  let fresh = '';
  let done = 0;
  for (let hit = -1; (hit = symbols.indexOf(national, hit + 1)) >= 0; ) {
    for (const prefix of prefixes) {
      const first = hit - prefix.length;
      if (first < 0 || !symbols.startsWith(prefix, first)) continue;
      const apart = prefix && at[hit] - at[hit - 1] > 1;
      const end = at[hit + national.length - 1] + 1;
      const span = judge(text, at[first], end, prefix, apart, coded);
      if (!span || span[0] < done) continue;
      fresh += text.slice(done, span[0]) + give(text.slice(...span));
      done = span[1];
      break;
    }
  }
  return fresh + text.slice(done);
}

// Where our number begins and ends; nothing when the digits are another's.
function judge(text, start, end, prefix, apart, coded) {
  const body = plain(text.slice(start, end));
  if (body.length > 150 || !BODY.test(body)) return;
  while (LETTERS.test(text.slice(end - 1, end + 1))) end++; // 1-800-CONTACTS
  let before = plain(text.slice(Math.max(0, start - 40), start)).replace(MANY, 'N');
  const after = plain(text.slice(end, end + 40)).replace(MANY, 'N');
  const plus = /\+[-(\s]*$/.exec(before);
  if (plus) {
    // "+8 (495)" is meant as 8: there is no country 8. "+495" is somebody else's.
    if (!coded.includes(prefix) && !(apart && prefix == 8)) return;
    start -= plus[0].length;
    before = '';
  }
  const lone = !prefix || /^0../.test(prefix) ? 'L' : '';
  const clear = apart || plus ? 'C' : '';
  if (OTHERS.test(before + '<' + lone + clear + body + '>' + after)) return;
  // "(495) 000-00-00": the bracket that is closed inside.
  if (/^[^([]*[)\]]/.test(text.slice(start, end)) && /[([]/.test(text[start - 1])) start--;
  return [start, end];
}

// The page's own spelling with the digits of another number; the display form where country or
// length differ, and where letters stood for digits.
export function respell(body, { country, national }, to, display) {
  const fresh = COUNTRY.exec(to);
  if (!fresh || fresh[1] != country || fresh[2].length != national.length) return display;
  let lead = digitsOf(body).length - national.length;
  let next = 0;
  return lead < 0
    ? display
    : body.replace(/\d/g, (digit) => (lead-- > 0 ? digit : fresh[2][next++]));
}

// Whether a short text may be a part of that number, split by inline tags.
export function mayBePiece(text, { whole }) {
  const digits = digitsOf(text);
  return !!digits && !!whole && whole.includes(digits) && /^[-/(\s\d+]{1,40}$/.test(plain(text));
}
