/*
 * Forms that visitors send become contacts, whatever the forms are made of.
 *
 * A form is sent when its values leave the page: the browser submits it, or, soon after the
 * visitor's click or Enter, a request of the page carries the phone or the email that he gave.
 * So what the page's own check holds back is no contact, and builders (Tilda, Bitrix24, anything
 * with fetch or XHR) need no rules of their own. What the site's server refuses as invalid (400,
 * 422) is none either. Of any other answer, or none at all, it is one: a contact that is lost
 * cannot be found again, and a second one of the same person joins the same lead.
 *
 * Nothing here changes what the page does: listeners prevent nothing, wrapped functions give their
 * caller what the original gave.
 */

import { gather, note, tell } from './forms/contacts.js';

const D = document;
const FIELD = 'skvoz_session'; // of a form, with the session for the site's own server
const SOON = 10000; // ms: a captcha may check before the request goes

const followed = new WeakSet(); // trees and windows we listen to
let acted = 0; // when the visitor clicked or pressed Enter
let actedIn; // the form he did it in
let submitted = []; // a form and its submit event
let waiting; // a contact whose request was not answered yet
let latest; // the last contact that a request carried

// ---- the visitor acts ----------------------------------------------------------------------

// A click into a field, or on a suggestion (its item has a value too), is no wish to send.
function act(event) {
  const target = event.composedPath()[0];
  const click = event.type == 'click';
  if (click && 'value' in target && !/submit|button|image/.test(target.type)) return;
  if (event.key && event.key != 'Enter') return;
  acted = Date.now();
  actedIn = target.closest('form') || target.form;
}

// ---- the browser sends ---------------------------------------------------------------------

// The data of a form is gathered when the browser submits it, after nobody has prevented that;
// or by a script, and then a request will show what becomes of it.
function gathered(event) {
  const [form, submit] = submitted;
  if (form != event.target || submit.eventPhase || submit.defaultPrevented) return;
  submitted = [];
  const contact = gather(form)(event.formData);
  const session = S.session();
  // An input may be called `method` or `action`, and then it stands for it.
  const own = form.method == 'post' && String(form.action).startsWith(location.origin);
  if (contact && session && own) event.formData.set(FIELD, session);
  tell(contact);
}

// ---- a script sends ------------------------------------------------------------------------

// Looks for the visitor's contact in a body; returns what to do with the answer then.
function sending() {
  const find = gather(actedIn); // at once: forms are emptied when they are sent
  return (body) => {
    const contact = find(body);
    if (!contact) return;
    waiting = latest = contact;
    return S.safe((status, url) => {
      waiting = 0;
      // Contact Form 7 answers 200 to invalid forms too, and tells by events how it went.
      if (status != 400 && status != 422 && !/contact-form-7/.test(url)) tell(contact);
    });
  };
}

function isSoon() {
  return Date.now() - acted < SOON;
}

function fetching(self, [input, init]) {
  const { method, body } = Object.assign({ method: input.method }, init);
  if (!isSoon() || !/^p/i.test(method)) return;
  if (String(input.url || input).startsWith(S.C.api + '/v1/')) return;
  const look = sending();
  const found = body ? look(body) : input.clone && input.clone().text().then(look);
  const known = Promise.resolve(found).catch(S.say);
  const settle = (status, url) => known.then((then) => then && then(status, url));
  // The caller has the promise itself, not one that we would have to reject in its place.
  return (result) => result.then((answer) => settle(answer.status, answer.url), () => settle(0));
}

function requesting(request, [body]) {
  const settle = isSoon() && body && sending()(body);
  if (settle) S.on(request, 'loadend', () => settle(request.status, request.responseURL));
}

function submitting(form) {
  submitted = [form, {}];
}

// `before` hears of each call and may return what is to hear of its result.
function wrap(owner, name, before) {
  owner[name] = new Proxy(owner[name], {
    apply(original, self, args) {
      const after = S.safe(before)(self, args);
      const result = Reflect.apply(original, self, args);
      if (after) S.safe(after)(result);
      return result;
    },
  });
}

// ---- everywhere on the page ----------------------------------------------------------------

const heard = {
  click: act,
  keydown: act,
  submit: (event) => {
    submitted = [event.target, event];
    acted = Date.now();
    actedIn = event.target;
  },
  input: (event) => note(event.composedPath()[0]),
  formdata: gathered,
  wpcf7mailsent: () => tell(latest),
  wpcf7mailfailed: () => tell(latest), // the site has lost the letter, not the visitor
};

// Events of a form in a shadow root do not leave it, those of a frame do not leave the frame.
function follow(root) {
  if (followed.has(root)) return;
  followed.add(root);
  for (const type in heard) S.on(root, type, heard[type]);
  const view = root.defaultView;
  if (!view) return;
  wrap(view, 'fetch', fetching);
  wrap(view.XMLHttpRequest.prototype, 'send', requesting);
  wrap(view.HTMLFormElement.prototype, 'submit', submitting);
  S.on(view, 'pagehide', () => {
    tell(waiting);
    waiting = 0;
  });
}

function fill(field) {
  if (field.name == FIELD) field.value = S.session() || '';
}

follow(D);
D.querySelectorAll('input,textarea,select').forEach(note); // typed in before we came
S.each((element) => {
  follow(element.getRootNode());
  fill(element);
});
S.listen('session', (session) => {
  D.documentElement.dataset.skvozSession = session;
  D.querySelectorAll('[name=' + FIELD + ']').forEach(fill);
});
