/* The make-believe shop's buttons. Each goes through a real door of the server. */
'use strict';

const byId = (id) => document.getElementById(id);
const texts = byId('texts').dataset;
const say = (text) => { byId('said').textContent = text; };

async function press(path, body) {
  const answer = await fetch(path, { method: 'POST', body: JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error.message);
  return told;
}

async function attempt(work) {
  try {
    say(await work());
    setTimeout(look, 700);
  } catch (trouble) {
    say(texts.failed + ' ' + trouble.message);
  }
}

const number = () => byId('phone').getAttribute('href').replace('tel:', '');
const address = () => byId('mail').getAttribute('href').replace(/^mailto:/, '').split('?')[0];

const dial = (answer) => attempt(async () => {
  const told = await press('/demo/call', { number: number(), answer });
  return texts.called + ' ' + told.caller;
});

byId('call').addEventListener('click', () => dial(true));
byId('miss').addEventListener('click', () => dial(false));
byId('write').addEventListener('click', () => attempt(async () => {
  const told = await press('/demo/write', { address: address() });
  return texts.wrote + ' ' + told.from;
}));
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  attempt(async () => {
    window.skvoz('contact', { name: form.get('name'), phone: form.get('phone'), text: document.title });
    return texts.sent;
  });
});
byId('forget').addEventListener('click', () => {
  for (const key of Object.keys(localStorage)) if (key.startsWith('skvoz')) localStorage.removeItem(key);
  for (const pair of document.cookie.split('; ')) {
    const name = pair.split('=')[0];
    if (name.startsWith('skvoz') && name !== 'skvoz') document.cookie = name + '=; Max-Age=0; path=/';
  }
  location.href = '/demo/';
});

function facts(item) {
  const data = item.data;
  if (item.system === 'mailbox') return data.to + ' ← ' + data.return_path;
  if (item.system === 'metrika') return Object.entries(data).filter((pair) => pair[1]).map((pair) => pair.join(': ')).join(', ');
  const from = data.source;
  const source = from ? [from.channel, from.source, from.medium, from.campaign].filter(Boolean).join(' / ') : '—';
  const share = data.certainty === undefined ? '' : ' · ' + Math.round(data.certainty * 100) + ' %';
  return [data.channel, data.from, source].filter(Boolean).join(' · ') + share;
}

function row(item) {
  const made = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = item.at;
  time.textContent = new Date(item.at).toLocaleTimeString();
  const who = document.createElement('b');
  who.textContent = texts[item.system];
  const what = document.createElement('span');
  what.className = 'facts';
  what.textContent = facts(item);
  const details = document.createElement('details');
  const summary = document.createElement('summary');
  summary.append(item.type);
  const whole = document.createElement('pre');
  whole.textContent = JSON.stringify(item.data, null, 2);
  details.append(summary, whole);
  made.append(time, who, what, details);
  return made;
}

let shown = '';
async function look() {
  const answer = await fetch('/demo/received').catch(() => null);
  if (!answer || !answer.ok) return;
  const text = await answer.text();
  if (text === shown) return;
  shown = text;
  const items = JSON.parse(text).items;
  byId('nothing').hidden = items.length > 0;
  byId('received').replaceChildren(...items.slice(0, 20).map(row));
}
look();
setInterval(() => { if (!document.hidden) look(); }, 2000);
