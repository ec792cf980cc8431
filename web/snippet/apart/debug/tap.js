/*
 * What is said to the tracker, and what it answers: kept from the first visit on, which waits
 * for us. Nothing of it is changed.
 */

export const sent = []; // { path, body, at, status, answer }

function note(url, text) {
  if (!String(url).startsWith(S.C.api + '/v1/')) return {};
  const entry = { path: url.slice(S.C.api.length), body: JSON.parse(text), at: Date.now() };
  sent.push(entry);
  return entry;
}

const { fetch } = window;
window.fetch = function (url, options) {
  const request = fetch.apply(this, arguments);
  S.safe(() => {
    const entry = note(url, options && options.body);
    if (entry.path) request.then((answer) => hear(entry, answer.clone()), () => {});
  })();
  return request;
};

function hear(entry, answer) {
  answer.text().then((text) => Object.assign(entry, { status: answer.status, answer: text }));
}

const { sendBeacon } = navigator;
navigator.sendBeacon = function (url, text) {
  S.safe(note)(url, text);
  return sendBeacon.apply(this, arguments);
};
