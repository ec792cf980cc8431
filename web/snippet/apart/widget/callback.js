/*
 * The form that asks to be called back, and what became of it.
 */

import { make } from './elements.js';
import { consentField, phoneField } from './fields.js';
import { times } from './times.js';
import { wayOut } from './wayout.js';
import { FAILED, NAME, SEND, SENDING, SLOW, TIME } from './words.js';

const PATIENCE = 8000; // ms of sending until another way is offered
const SAME = 600000; // ms in which the same number asks only once

// `succeed` hears what the visitor is promised, and on which number.
export function callback(settings, succeed) {
  const phone = phoneField();
  const name = make('input', { part: 'field', name: 'name', autocomplete: 'name', maxLength: 100 });
  const time = times(settings);
  const consent = settings.policy && consentField(settings.policy);
  const send = make('button', { className: 'send', part: 'send' });
  const trouble = wayOut();
  const fields = consent ? [phone, consent] : [phone];
  const form = make(
    'form',
    { noValidate: true },
    phone.element,
    make('label', {}, NAME, name),
    make('label', {}, TIME, time.choice),
    ...fields.slice(1).map((field) => field.element),
    trouble.element,
    send
  );
  let sending;

  function busy(is) {
    sending = is;
    send.textContent = is ? SENDING : SEND;
    send.setAttribute('aria-disabled', is);
  }

  // Sent again within minutes it is the same request, whatever became of the first time.
  function contact() {
    const number = phone.value();
    const call_at = time.choice.value;
    return {
      id: [number, call_at, Math.floor(Date.now() / SAME)].join(),
      channel: 'callback',
      phone: number,
      name: name.value,
      fields: call_at ? { call_at } : {},
    };
  }

  function submit(event) {
    event.preventDefault();
    if (sending) return;
    const wrong = fields.filter((field) => !field.isRight());
    if (wrong.length) return wrong[0].input.focus();
    busy(true);
    trouble.say();
    const slow = setTimeout(() => trouble.say(SLOW), PATIENCE);
    S.contact(contact()).then((taken) => {
      clearTimeout(slow);
      busy(false);
      trouble.say(taken ? '' : FAILED);
      if (taken) succeed(time.promised(), phone.input.value);
    });
  }

  form.addEventListener('submit', S.safe(submit));
  busy(false);
  return { element: make('div', {}, time.lead, form), input: phone.input, renew: time.renew };
}
