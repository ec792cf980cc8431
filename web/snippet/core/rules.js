/*
 * What is replaced, and by what now.
 *
 * A rule's `known_` are the page's number and every one shown in its place, as spellings; `shown`
 * stands there by our doing; `read_` says that the visitor has had the time to see it.
 */

import { respell, spellMail, spellPhone, swap } from './spelling.js';

function spell(text) {
  return text[0] == '+' ? spellPhone(text, C.keys) : spellMail(text);
}

export const rules = C.numbers
  .concat(C.emails)
  .map((from) => ({ from, phone: from[0] == '+', known_: [spell(from)] }));

export function standing(rule) {
  return rule.shown || rule.from;
}

// The text with every known number and address replaced; `found` hears of each.
export function translate(text, found, plain) {
  for (const rule of rules) {
    for (const old of rule.known_) {
      text = swap(text, old, (body) => {
        if (found) found(rule);
        if (!rule.shown || rule.shown == old.from) return body;
        return plain ? rule.shown : respell(body, old, rule.shown, rule.display);
      });
    }
  }
  return text;
}

// Takes an answer; true when the page has to change. Everything in it is checked first: half an
// answer is worse than none. A number shown on an open page never changes, except for one of
// the visitor's own in place of a common one.
export function take({ numbers = [], emails = [] }, late) {
  const entries = numbers.concat(emails);
  const fine = entries.every(
    (entry) =>
      entry.kind == 'own' ||
      /^(\+\d{5,15}|[^\s@<>"]+@[^\s@<>"]+)$/.test(entry.number || entry.address)
  );
  if (!fine) throw Error('bad answer');
  let changed = false;
  for (const { replaces, number, address, display, kind = 'dynamic' } of entries) {
    const rule = rules.find((rule) => rule.from == replaces);
    if (!rule || rule.kind == 'dynamic') continue;
    const stands = rule.kind && (rule.kind != 'own' || rule.read_);
    if (!rule.kind) rule.kind = 'own';
    if (kind == 'own' || (stands && kind != 'dynamic')) continue;
    rule.kind = kind;
    if (late && rule.read_) {
      rule.kind = 'dynamic'; // too late for this page, whatever else may come
      continue;
    }
    rule.shown = number || address;
    rule.display = display || rule.shown;
    rule.known_.push(spell(rule.shown));
    changed = true;
  }
  return changed;
}
