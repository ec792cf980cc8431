/*
 * The widget: a round button in the page's corner, and behind it a form that asks to be called
 * back and links to messengers. Anything on the page with `data-skvoz-open` opens it too.
 *
 * Loaded apart, after the page. It lives in a shadow root of its own beside the body, where no
 * framework looks; it is fixed, so that nothing on the page moves.
 */

import { accent, isDark } from './widget/colours.js';
import { icon, make } from './widget/elements.js';
import { panel } from './widget/panel.js';
import { dress } from './widget/style.js';
import { language } from './widget/words.js';

const D = document;
const OFF = '[data-skvoz=off]';
const settings = S.C.widget;

function build() {
  const { dialog, open, name, sign } = panel(settings);
  const launcher = make(
    'button',
    { className: 'launcher', part: 'launcher', 'aria-label': name, 'aria-haspopup': 'dialog' },
    icon(sign)
  );
  const all = make('div', {}, dialog, launcher);
  const host = make('skvoz-widget', { lang: language, dir: 'ltr', 'data-skvoz': 'off' });

  function paint() {
    const { fill, text } = accent(settings.colour);
    const font = 'var(--skvoz-font,' + getComputedStyle(D.body).fontFamily + ')';
    const own = { accent: fill, on: text, font };
    for (const name of Object.keys(own)) all.style.setProperty('--' + name, own[name]);
    all.className = 'all ' + settings.side + (isDark() ? ' dark' : '');
  }

  // The page may have changed its colours since, or its own number.
  const show = S.safe((from) => {
    paint();
    open(from);
  });

  dress(host.attachShadow({ mode: 'open' })).append(all);
  D.documentElement.append(host);
  paint();
  launcher.addEventListener('click', () => show(launcher));
  D.addEventListener('click', S.safe((event) => {
    const opener = event.target.closest && event.target.closest('[data-skvoz-open]');
    if (!opener || opener.closest(OFF)) return;
    event.preventDefault();
    show(opener);
  }));
}

// Browsers without dialogs keep the page as it is; so does a page that wants nothing of us.
if (window.HTMLDialogElement && !D.body.closest(OFF)) {
  (window.requestIdleCallback || setTimeout)(S.safe(build));
}
