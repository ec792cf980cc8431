/*
 * Contacts made of fields: those of the form that was sent, and of steps that are gone by then.
 */

import { read } from './fields.js';

const SAME = 60000; // ms in which the same values are one contact: a double click, a second try
const BETWEEN = '\\D{0,4}'; // digits of a phone in any spelling

// What the visitor typed, a field and what it gave then, by the field's description: frameworks
// take a step's fields away, or use one again for the next step.
let typed = {};
let typedIn; // the form he typed in last
let told; // the last contact, as text
let toldAt;
let over; // told, and nothing was typed since

export function note(field) {
  if (over) typed = {};
  over = 0;
  typed[field.name + field.placeholder] = [field, read(field)];
  typedIn = field.form;
}

// What the fields say now; returns how to find the contact in what is sent: of the form typed
// in, the one that sends, or of lone fields.
export function gather(sender) {
  const before = Object.values(typed);
  const forms = [typedIn, sender, null].map((form) => [
    form, form ? Array.from(form.elements, read) : [],
  ]);
  return (body) => {
    const text = spell(body);
    for (const [form, given] of forms) {
      const contact = collect(form, given, before, text);
      if (contact) return contact;
    }
  };
}

function spell(body) {
  if (body.values) return Array.from(body.values()).join('\n');
  const text = '' + body;
  try {
    return /^\s*[[{]/.test(text) ? text : decodeURIComponent(text.replace(/\+/g, ' '));
  } catch (malformed) {
    return text;
  }
}

function collect(form, given, before, text) {
  const fields = {};
  const contact = { fields };
  const put = (pair) => {
    if (!pair) return;
    const [key, value] = pair;
    const into = /^(name|phone|email|text)$/.test(key) ? contact : fields;
    if (!into[key]) into[key] = value;
    else if (key == 'name') into[key] = (into[key] + ' ' + value).slice(0, 200); // first, last
  };
  given.forEach(put);
  for (const [field, pair] of before) {
    const lone = !field.isConnected || !(field.form || form);
    if (pair && !contact[pair[0]] && (lone || text.includes(pair[1]))) put(pair);
  }
  if (form) fields.form = form.getAttribute('name') || form.getAttribute('id') || undefined;
  // With a password and no name, somebody known comes in.
  const login = form && !contact.name && form.querySelector('[type=password]');
  if (!login && carries(text, contact)) return contact;
}

// The phone is taken as it was sent if that is fuller: a mask may hold the country apart.
function carries(text, contact) {
  const { email, phone } = contact;
  if (phone) {
    const digits = phone.replace(/\D/g, '').slice(-10).split('').join(BETWEEN);
    const full = RegExp('\\+\\d{1,3}' + BETWEEN + digits).exec(text);
    if (full) contact.phone = '+' + full[0].replace(/\D/g, '');
    if (full || RegExp(digits).test(text)) return true;
  }
  return email && text.toLowerCase().includes(email.toLowerCase());
}

export function tell(contact) {
  const text = JSON.stringify(contact);
  const now = Date.now();
  if (!contact || S.refused() || (text == told && now - toldAt < SAME)) return;
  told = text;
  toldAt = now;
  over = 1;
  S.contact(contact);
}
