/*
 * What is replaced, and by what now.
 *
 * A rule's `known` are the page's number and every one shown in its place, as spellings; `shown`
 * stands there by our doing; `read` says that the visitor has had the time to see it.
 */

import { respell, spellMail, spellPhone, swap } from './spelled.js';

export const rules = [...(C.numbers || []), ...(C.emails || [])]
  .map((from) => {
    const phone = from[0] == '+';
    return { from, phone, known: [phone ? spellPhone(from) : spellMail(from)] };
  })
  .filter((rule) => rule.known[0]);

export function standing(rule) {
  return rule.shown || rule.from;
}

function show(rule, text, display, kind) {
  rule.shown = text;
  rule.display = display || text;
  rule.kind = kind;
  rule.known.push(rule.phone ? spellPhone(text) : spellMail(text));
}

// The text with every known number and address replaced; `found` hears of each.
export function translate(text, found, plain) {
  for (const rule of rules) {
    for (const old of rule.known) {
      text = swap(text, old, (body) => {
        found(rule);
        if (!rule.shown || rule.shown == old.from) return body;
        return plain ? rule.shown : respell(body, old, rule.shown, rule.display);
      });
    }
  }
  return text;
}

// Takes a checked answer; true when the page has to change. A number shown on an open page
// never changes, except for one of the visitor's own in place of a common one.
export function take(answer, late, settled) {
  let changed = false;
  const find = (entry) => rules.find((rule) => rule.from == entry.replaces);
  for (const entry of answer.numbers) {
    const rule = find(entry);
    if (!rule || !/^(dynamic|static|overflow|own)$/.test(entry.kind)) continue;
    const open = !rule.settled && (!rule.kind || rule.kind == 'own');
    const better = entry.kind == 'dynamic' && rule.kind != 'dynamic';
    rule.settled = settled || rule.settled;
    if (!rule.kind) rule.kind = 'own';
    if (entry.kind == 'own' || !(open || better)) continue;
    if (late && rule.read) {
      rule.closed = true;
    } else {
      show(rule, entry.number, entry.display, entry.kind);
      changed = true;
    }
  }
  for (const entry of answer.emails) {
    const rule = find(entry);
    if (!rule || rule.shown || (late && rule.read)) continue;
    show(rule, entry.address, entry.address, 'dynamic');
    changed = true;
  }
  return changed;
}

// Everything the answer is used for is checked first: half an answer is worse than none.
export function check(answer, whole) {
  const good = (value, pattern) => typeof value == 'string' && pattern.test(value);
  const { numbers = [], emails = [], session, visitor } = answer;
  const fine =
    (!whole || [session, visitor].every((id) => good(id, /^.{1,100}$/))) &&
    numbers.every(
      (entry) =>
        (entry.kind == 'own' || good(entry.number, /^\+\d{5,15}$/)) &&
        (entry.display == null || good(entry.display, /^.{1,50}$/))
    ) &&
    emails.every((entry) => good(entry.address, /^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}$/));
  if (!fine) throw Error('unreadable answer');
  return { numbers, emails };
}
