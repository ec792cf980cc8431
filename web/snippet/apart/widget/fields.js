/*
 * The form's fields: each with its name, and an error that is read out with it.
 */

import { make } from './elements.js';
import { countryOf, dial, keepSpelt } from './phone.js';
import { AGREE, DISAGREE, PHONE, POLICY, SHORT } from './words.js';

const EXAMPLES = { 7: '+7 (900) 000-00-00', 1: '+1 (000) 000-0000' };
let errors = 0;

// `value` is what may be sent, nothing while the field is wrong; an error stays until it is right.
function checked(input, label, text, value) {
  const error = make('p', { className: 'error', id: 'error' + ++errors, hidden: true });
  const look = (before) => {
    const wrong = !value();
    if (wrong && before) return;
    error.hidden = !wrong;
    error.textContent = text;
    input.setAttribute('aria-invalid', wrong);
    input.setAttribute('aria-describedby', wrong ? error.id : '');
    return !wrong;
  };
  input.addEventListener('input', S.safe(look));
  return { input, element: make('div', {}, label, error), value, isRight: () => look() };
}

export function phoneField() {
  const home = countryOf(((S.C.numbers || [])[0] || '+7').slice(1));
  const input = make('input', {
    part: 'field',
    type: 'tel',
    name: 'phone',
    autocomplete: 'tel',
    required: true,
    placeholder: EXAMPLES[home] || '+' + home,
  });
  keepSpelt(input, home);
  return checked(input, make('label', {}, PHONE, input), SHORT, () => dial(input.value, home));
}

// Leave to keep what he tells, where the owner says what he does with it.
export function consentField(policy) {
  const input = make('input', { type: 'checkbox', required: true });
  const link = make('a', { href: policy, target: '_blank', rel: 'noopener' }, POLICY);
  const label = make('label', { className: 'agree' }, input, make('span', {}, AGREE, link));
  return checked(input, label, DISAGREE, () => input.checked);
}
