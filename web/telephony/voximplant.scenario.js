/*
 * Skvoz for Voximplant: an incoming call asks where to go, and what becomes of it is told.
 *
 * Paste it as a scenario of the application, and send the calls of all tracking numbers to it
 * by a routing rule. Protocol v1, read by `web/telephony/voximplant.py`: POST …/route is
 * answered {to, callerid, timeout, record}, POST …/event tells one stage. Without an answer in
 * time the default number is dialled: our outage costs data, never a call.
 */

const ADDRESS = "SKVOZ_ADDRESS";
const SECRET = "SKVOZ_SECRET";
const DEFAULT_NUMBER = "SKVOZ_DEFAULT_NUMBER"; // may be empty: then the call is refused

const ROUTE_PATIENCE = 3; // seconds the caller waits for our answer
const TELL_PATIENCE = 10; // seconds for one telling
const TELL_AGAIN = [1, 5, 20]; // seconds until a telling that failed is repeated
const RECORD_PATIENCE = 30; // seconds after the end until the recording is closed
const RING_SECONDS = 30;
const NO_ANSWER = 408; // SIP
const UNAVAILABLE = 480; // SIP

let session = null;
const told = []; // promises: the session must live until all of it is told

VoxEngine.addEventListener(AppEvents.Started, (event) => {
  session = String(event.sessionId);
});
VoxEngine.addEventListener(AppEvents.CallAlerting, (event) => new Conversation(event).begin());

function after(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

// Bytes and characters are the same in ASCII, so that both sides sign the same thing.
function ascii(message) {
  return JSON.stringify(message).replace(
    /[\u007f-\uffff]/g,
    (one) => "\\u" + ("000" + one.charCodeAt(0).toString(16)).slice(-4)
  );
}

async function post(path, message, patience) {
  const body = ascii(message);
  const at = String(Math.floor(Date.now() / 1000));
  const request = Net.httpRequestAsync(ADDRESS + path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CT-Timestamp": at,
      "X-CT-Signature": "sha256=" + Crypto.hmac_sha256(SECRET, at + "." + body),
    },
    postData: body,
    timeout: patience,
    connectionTimeout: Math.min(patience, 6),
  });
  const late = after(patience + 0.5).then(() => ({ code: -7 }));
  return Promise.race([request, late]);
}

async function deliver(message) {
  for (const pause of TELL_AGAIN.concat(0)) {
    const answer = await post("/event", message, TELL_PATIENCE).catch(() => ({ code: -8 }));
    if (answer.code >= 200 && answer.code < 300) return;
    if (pause) await after(pause);
  }
}

class Conversation {
  constructor(event) {
    this.caller = event.call;
    this.person = null; // the leg to whoever answers
    this.answered = false;
    this.recording = false;
    this.over = false;
    this.known = {
      v: 1,
      call_id: event.call.id(),
      session,
      caller: event.callerid,
      called: event.destination,
      display_name: event.displayName,
    };
  }

  async begin() {
    this.caller.addEventListener(CallEvents.Disconnected, () => this.end("caller"));
    this.caller.addEventListener(CallEvents.Failed, () => this.end("caller"));
    const route = await this.ask();
    const number = String(route.to || DEFAULT_NUMBER).replace(/^\+/, "");
    if (this.over) return;
    if (number) return this.dial(number, route);
    this.end("system");
    this.caller.reject(UNAVAILABLE);
  }

  // The answer; an empty one where there is none in time, and then the call is told of later.
  async ask() {
    const question = Object.assign({ ts: Date.now() }, this.known);
    try {
      const answer = await post("/route", question, ROUTE_PATIENCE);
      if (answer.code === 200) return JSON.parse(answer.text);
    } catch (error) {
      Logger.write("Skvoz: no route: " + error);
    }
    this.tell("started", { ts: question.ts });
    return {};
  }

  dial(number, route) {
    const leg = VoxEngine.callPSTN(number, String(route.callerid || this.known.called));
    this.person = leg;
    let gaveUp = false;
    const patience = setTimeout(() => {
      gaveUp = true;
      leg.hangup();
    }, (route.timeout || RING_SECONDS) * 1000);
    const about = { leg: leg.id(), number };
    VoxEngine.sendMediaBetween(this.caller, leg);
    leg.addEventListener(CallEvents.Ringing, () => {
      this.caller.ring();
      this.tell("ringing", about);
    });
    leg.addEventListener(CallEvents.AudioStarted, () => this.caller.startEarlyMedia());
    leg.addEventListener(CallEvents.Connected, () => {
      clearTimeout(patience);
      this.answered = true;
      this.caller.answer();
      this.tell("answered", about);
      if (route.record) this.record(leg);
    });
    leg.addEventListener(CallEvents.Failed, (event) => {
      clearTimeout(patience);
      const code = gaveUp ? NO_ANSWER : event.code;
      this.tell("failed", Object.assign({ code, reason: event.reason }, about));
      if (this.over) return;
      this.end("person");
      this.caller.reject(code >= 400 && code < 700 ? code : UNAVAILABLE);
    });
    leg.addEventListener(CallEvents.Disconnected, (event) => {
      this.end("person", { duration: event.duration });
    });
  }

  record(leg) {
    leg.addEventListener(CallEvents.RecordStarted, (event) => {
      this.recording = true;
      this.tell("record_started", { url: event.url });
    });
    leg.addEventListener(CallEvents.RecordStopped, (event) => {
      this.tell("record_stopped", { url: event.url, duration: event.duration });
      this.recording = false;
      if (this.over) this.close();
    });
    leg.record({ stereo: true });
  }

  // Once, whoever hung up first; the other leg is hung up.
  async end(by, more) {
    if (this.over) return;
    this.over = true;
    this.tell("ended", Object.assign({ by, answered: this.answered }, more));
    if (by === "caller" && this.person) this.person.hangup();
    if (by === "person" && this.answered) this.caller.hangup();
    if (!this.recording) return this.close();
    await after(RECORD_PATIENCE);
    this.close();
  }

  tell(type, more) {
    const message = Object.assign({ type, ts: Date.now() }, this.known, more);
    told.push(deliver(message));
  }

  async close() {
    let known;
    do {
      known = told.length; // the other leg's end may be told while we wait
      await Promise.all(told);
    } while (told.length > known);
    VoxEngine.terminate();
  }
}
