/*
 * A phone number as it is typed: separators are ours, digits are the visitor's. Pure, but for
 * `keepSpelt`, which minds a field.
 */

// ITU-T E.164: country codes of one and two digits; all others have three.
const COUNTRY = /^([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/;
const TRUNK = { 7: /^[78]/, 1: /^1/ }; // written before the number and apart from it
const NATIONAL = { 7: '(###) ###-##-##', 1: '(###) ###-####' };
const MOST = 15; // digits, by E.164

const bare = (text) => text.replace(/[^\d+]/g, '');
const digitsOf = (text) => text.replace(/\D/g, '').slice(0, MOST);
const isAbroad = (text) => bare(text)[0] == '+';

// The country code that E.164 digits begin with; while it is half typed, what there is of it.
export function countryOf(digits) {
  return (COUNTRY.exec(digits) || [digits])[0];
}

// Separators stand before a digit only, so that the last one typed can always be deleted.
function lay(digits, pattern) {
  let text = '';
  let waiting = '';
  let next = 0;
  for (const mark of pattern) {
    if (next == digits.length) return text;
    waiting += mark;
    if (mark != '#') continue;
    text += waiting.slice(0, -1) + digits[next++];
    waiting = '';
  }
  return text + digits.slice(next);
}

// The digits of a text in the usual spelling of their country; `home` without a plus.
export function spell(text, home) {
  const digits = digitsOf(text);
  const country = isAbroad(text) ? countryOf(digits) : home;
  const national = NATIONAL[country] || '### ### ## ##';
  if (isAbroad(text)) {
    return digits ? lay(digits, '+' + country.replace(/./g, '#') + ' ' + national) : '+';
  }
  return lay(digits, TRUNK[home] && TRUNK[home].test(digits) ? '# ' + national : national);
}

// What is sent: E.164 where it can be told, else the digits; nothing while some are missing.
export function dial(text, home) {
  let digits = digitsOf(text);
  if (isAbroad(text)) {
    digits = digits.replace(/^7[78](?=\d{10}$)/, '7'); // +7 8 916 …
  } else if (!TRUNK[home]) {
    return digits.length > 6 && digits;
  } else if (digits.length < 12) {
    digits = home + (digits.length == 11 ? digits.replace(TRUNK[home], '') : digits);
  }
  return (TRUNK[digits[0]] ? digits.length == 11 : digits.length > 7) && '+' + digits;
}

// Spell while typing; the caret stays behind the digit it was behind.
export function keepSpelt(field, home) {
  let last = '';
  field.addEventListener('input', S.safe((event) => {
    if (event.isComposing) return;
    let before = bare(field.value.slice(0, field.selectionStart));
    let after = bare(field.value.slice(field.selectionStart));
    if (/^delete/.test(event.inputType) && before + after == bare(last)) {
      // Only a separator was deleted: the digit beside it was meant.
      if (/Forward$/.test(event.inputType)) after = after.slice(1);
      else before = before.slice(0, -1);
    }
    last = spell(before + after, home);
    if (last == field.value) return;
    field.value = last;
    const at = after ? behind(last, before.length) : last.length;
    field.setSelectionRange(at, at);
  }));
}

function behind(text, digits) {
  let at = 0;
  while (digits && at < text.length) if (/[\d+]/.test(text[at++])) digits--;
  return at;
}
