/*
 * What is said when the form is slow or fails: the company's number, as it is shown to this
 * visitor. The widget is none of the page's content, so it shows and tells for itself.
 */

import { make } from './elements.js';
import { spell } from './phone.js';
import { CALL } from './words.js';

export function wayOut() {
  const rule = S.rules.find((one) => one.phone);
  // The alert stands in the page before it has anything to say, or it is not read out.
  const element = make('div', { role: 'alert' });
  const link = make('a', {});
  const standing = () => rule.shown || rule.from;
  let revealed;

  function renew() {
    const number = standing();
    link.href = 'tel:' + number;
    link.textContent = (rule.shown && rule.display) || spell(number);
    if (!link.isConnected || revealed == number) return;
    revealed = number;
    S.tell('reveal', number);
  }

  if (rule) {
    link.addEventListener('click', S.safe(() => S.tell('tel_click', standing())));
    S.listen('number', renew);
  }
  return {
    element,
    say(text) {
      const words = rule ? [text, ' ', CALL, link] : [text];
      element.replaceChildren(...(text ? [make('div', { className: 'trouble' }, ...words)] : []));
      if (rule) renew();
    },
  };
}
