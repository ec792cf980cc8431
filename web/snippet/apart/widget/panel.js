/*
 * The panel behind the button: a modal dialog with the form and the messengers. The browser
 * keeps the focus in it, closes it by Escape and shows it above everything on the page.
 */

import { callback } from './callback.js';
import { CHAT, CROSS, PHONE, TICK, icon, make } from './elements.js';
import { messengers } from './messengers.js';
import { CLOSE, OR, THANKS, TITLE, WRITE, language } from './words.js';

export function panel(settings) {
  const form = settings.callback && callback(settings, succeed);
  const links = settings.messengers && messengers(settings.messengers);
  const parts = [form, links].filter(Boolean);
  const title = make('h2', { id: 'title', tabIndex: -1 });
  const body = make('div', {}, ...parts.map((part) => part.element));
  const done = make('div', { className: 'done', role: 'status' });
  const dialog = make(
    'dialog',
    { part: 'panel', 'aria-labelledby': 'title' },
    make('div', {}, title, body, done, closing({ className: 'close', 'aria-label': CLOSE }, icon(CROSS)))
  );
  const name = (settings.greeting || {})[language] || (form ? TITLE : WRITE);
  let opener;
  if (form && links) links.element.before(make('p', { className: 'or' }, OR));

  function closing(properties, ...children) {
    const button = make('button', properties, ...children);
    button.addEventListener('click', () => dialog.close());
    return button;
  }

  function show(heading, ...promised) {
    title.textContent = heading;
    body.hidden = promised.length > 0;
    done.replaceChildren(...promised);
  }

  function succeed(promise, number) {
    const button = closing({ className: 'send', part: 'send' }, CLOSE);
    show(THANKS, icon(TICK), make('p', {}, promise), make('b', {}, number), button);
    button.focus();
  }

  function open(from) {
    opener = from;
    show(name);
    parts.forEach((part) => part.renew());
    dialog.showModal();
    // A touch screen's keyboard would cover what is to be read first.
    (form && !matchMedia('(pointer:coarse)').matches ? form.input : title).focus();
  }

  dialog.addEventListener('click', (event) => {
    if (event.target == dialog) dialog.close(); // beside the panel
  });
  // The page's own shortcuts do not hear what is typed here.
  dialog.addEventListener('keydown', (event) => event.stopPropagation());
  // Safari gives a clicked button no focus, so it has none to give back.
  dialog.addEventListener('close', () => opener.focus());
  return {
    dialog,
    open,
    name,
    sign: form ? PHONE : CHAT,
  };
}
