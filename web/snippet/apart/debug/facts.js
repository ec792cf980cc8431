/*
 * What there is to tell, as sections of rows: the panel shows them, the copied text is made of them.
 * A row is {label, value, notes, places}, a place {element, where, shows, ails}.
 */

import { ailments, scan } from './scan.js';
import { sent } from './tap.js';
import { say } from './words.js';

export function answerOf(entry) {
  try {
    return JSON.parse(entry.answer);
  } catch (other) {
    return entry.answer || undefined;
  }
}

export function facts(panel) {
  const visit = sent.filter((entry) => entry.path == '/v1/visits' && entry.status == 200).pop();
  const why = visit && (answerOf(visit) || {}).debug;
  const { places, strangers } = scan(panel);
  const sections = {
    visit: visitRows(visit, why),
    source: why ? sourceRows(why) : [row('', say('silent'))],
    numbers: S.rules.map((rule) => numberRow(rule, why, places.get(rule) || [])),
    strangers: Array.from(strangers.values(), (found) => row('', found[0].text, [], found)),
    trouble: [row('', S.say.said)],
  };
  return Object.keys(sections).map((name) => [name, sections[name].filter((one) => one.value)]);
}

function row(label, value, notes, places) {
  return {
    label: say(label),
    value,
    notes: (notes || []).filter(Boolean).map(say),
    places: (places || []).map((place) => ({
      element: place.element,
      where: nameOf(place.element),
      shows: place.text.trim().replace(/\s+/g, ' ').slice(0, 60),
      ails: ailments(place).map(say),
    })),
  };
}

function nameOf({ localName, id, classList }) {
  return localName + (id && '#' + id) + Array.from(classList, (one) => '.' + one).join('');
}

function visitRows(visit, why) {
  const consent = visit && visit.body.consent ? 'granted' : S.refused() ? 'refused' : 'unasked';
  return [
    row('site', S.C.site),
    row('page', location.href),
    row('consent', say(consent), [S.C.consent]),
    row('session', S.session() || '—'),
    row('visitor', (visit && answerOf(visit).visitor) || '—'),
    row('device', why && why.device),
    row('region', why && why.region),
    row('test', why && why.test && 'skvoz_test=1'),
  ];
}

function sourceRows({ source, landing, why, rule, click_ids, labels, flags }) {
  const counted = source || landing;
  const origin = ({ source, medium }) => source + ' / ' + medium;
  const tags = Object.entries({ ...click_ids, ...labels }).map((pair) => pair.join(' = '));
  return [
    row('source', origin(counted)),
    ...['channel', 'campaign', 'term', 'content'].map((name) => row(name, counted[name])),
    row('why', say('why_' + why)),
    row('landing', origin(landing), [rule, ...flags]),
    row('tags', tags.join('\n')),
  ];
}

function numberRow(rule, why, places) {
  const told = (why && why.numbers.find((one) => one.replaces == rule.from)) || {};
  const swapped = rule.shown && rule.shown != rule.from;
  const notes = [
    swapped && rule.kind,
    told.pool && say('pool') + ' ' + told.pool,
    told.why,
    say('places') + ': ' + places.length,
  ];
  return row(rule.from, swapped ? '→ ' + rule.display : say('own'), notes, places);
}

// For a letter to whoever helps, in short for comparing: what people wrote into forms is left out,
// and so are the elements themselves.
export function asText(value, indent) {
  const kept = (key, one) =>
    key == 'element' ? undefined : /^(name|phone|email|text|fields)$/.test(key) ? '***' : one;
  return JSON.stringify(value, kept, indent);
}
