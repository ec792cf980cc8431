/*
 * What a field of a page gives to a contact: a phone, an email, a name, a text, or what the owner
 * mapped (`C.forms.fields`). Nothing else leaves the page; and passwords, hidden inputs, files,
 * bank cards and whatever stands in data-skvoz="off" never do, mapped or not.
 */

// The first kind that the field's markup or value hints at, and that the value can be.
const KINDS = [
  ['email', /mail|почт|@/, /^\S+@\S+\.\S+$/],
  // An underscore is left of a mask that was not filled in.
  ['phone', /phone|[\W_]tel[\W_\d]|телеф|мобил|>\+\d[\d ()-]+$/, /^([^\d_@]*\d){6,15}[^\d_@]*$/],
  ['text', /^<texta|message|comment|сообщ|коммент/, /./],
  ['name', /^(?!.*(compan|organi|nick|city)).*(name(?!=)|fio|имя|фио|фамил|зовут)/, /^\D+$/],
];
const CARD = /(\d[ -]?){13}/; // a card's number has 13 to 19 digits, a phone's hardly ever 13
const NEVER = /^(password|hidden|file)| cc-|card|cvv|cvc/;

// Its key and value; nothing when it has none to give.
export function read(field) {
  const { type, name, autocomplete } = field;
  const value = String(field.value || '').trim();
  const never = NEVER.test((type + ' ' + autocomplete + ' ' + name).toLowerCase());
  const empty = !value || (/radio|checkbox/.test(type) && !field.checked);
  if (never || empty || CARD.test(value) || isOff(field)) return;
  const key = S.C.forms.fields[name] || (/^(te|email|number)/.test(type) && guess(field, value));
  return key && [key, value.slice(0, key == 'text' ? 4000 : 200)];
}

function guess(field, value) {
  // The copy has no children; a line break would end what `.` matches.
  const hint = (field.cloneNode().outerHTML + value).toLowerCase().replace(/\s/g, ' ');
  return (KINDS.find((kind) => kind[1].test(hint) && kind[2].test(value)) || [])[0];
}

function isOff(node) {
  return node && (node.closest('[data-skvoz=off]') || isOff(node.getRootNode().host));
}
