/*
 * A stand-in for Voximplant: runs a scenario through one call, as a plan on stdin says, and
 * prints what the scenario asked of the platform. Timers run only when the plan says so.
 *
 * The plan: {scenario, now, answers: [{code, text}…] for requests in turn (the last one for all
 * further ones; null: never answered), steps: [["alert"], ["leg", "Connected", {…}],
 * ["caller", "Disconnected", {…}], ["pass", seconds]]}.
 */
const crypto = require('node:crypto');
const vm = require('node:vm');

const plan = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const done = { requests: [], asked: [], terminated: false };
let now = plan.now;
let timers = [];
const application = {};

class Leg {
  constructor(name, id) {
    this.name = name;
    this.own = id;
    this.listeners = {};
    for (const verb of ['answer', 'ring', 'reject', 'hangup', 'startEarlyMedia', 'record']) {
      this[verb] = (...given) => done.asked.push([this.name, verb, ...given]);
    }
  }
  id() {
    return this.own;
  }
  addEventListener(event, listener) {
    (this.listeners[event] = this.listeners[event] || []).push(listener);
  }
  hear(event, about) {
    for (const listener of this.listeners[event] || []) listener({ call: this, ...about });
  }
}

const caller = new Leg('caller', 'A-1');
let leg = null;
const events = new Proxy({}, { get: (_, name) => name });
const world = {
  AppEvents: events,
  CallEvents: events,
  Logger: { write: () => undefined },
  Crypto: { hmac_sha256: (key, data) => crypto.createHmac('sha256', key).update(data, 'utf8').digest('hex') },
  Date: { now: () => now },
  setTimeout: (call, delay) => timers.push({ call, at: now + delay }),
  clearTimeout: (id) => (timers[id - 1].call = () => undefined),
  Net: {
    httpRequestAsync: (url, options) => {
      if (done.terminated) return new Promise(() => undefined); // nothing runs any more
      const turn = done.requests.push({ at: now, url, ...options }) - 1;
      const answer = plan.answers[Math.min(turn, plan.answers.length - 1)];
      return answer ? Promise.resolve(answer) : new Promise(() => undefined);
    },
  },
  VoxEngine: {
    addEventListener: (event, listener) => (application[event] = listener),
    callPSTN: (number, callerid) => {
      done.asked.push(['platform', 'callPSTN', number, callerid]);
      return (leg = new Leg('leg', 'B-1'));
    },
    sendMediaBetween: () => done.asked.push(['platform', 'sendMediaBetween']),
    terminate: () => (done.terminated = true),
  },
};

async function settle() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(seconds) {
  const until = now + seconds * 1000;
  for (;;) {
    const due = timers.filter((one) => !one.done && one.at <= until).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    due.done = true;
    now = Math.max(now, due.at);
    due.call();
    await settle();
  }
  now = until;
}

(async () => {
  vm.runInNewContext(plan.scenario, world);
  application.Started({ sessionId: 42 });
  for (const [who, ...step] of plan.steps) {
    if (who === 'alert') application.CallAlerting({ call: caller, ...step[0] });
    if (who === 'caller') caller.hear(...step);
    if (who === 'leg') leg.hear(...step);
    if (who === 'pass') await pass(step[0]);
    await settle();
  }
  process.stdout.write(JSON.stringify(done));
})();
