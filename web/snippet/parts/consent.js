/*
 * What the page's consent platform says of the visitor's choice, as skvoz('consent', …).
 *
 * Served with consent = "tcf" or "google", and then the core waits for us. Whoever says nothing,
 * or nothing that is clear, has not consented: no answer means to go on waiting.
 *
 * TCF: "CMP API v2" and "TCF Policies" of IAB Europe. The owner needs purpose 1 (storing an
 * identifier on the device, with consent alone) and purpose 7 (measuring how well advertising
 * worked, which is what we do). A legitimate interest in 7 can be had by registered vendors only.
 *
 * Google: "Set up consent mode on websites", developers.google.com/tag-platform. Only
 * `analytics_storage` counts: what we keep serves measuring, `ad_storage` is for showing ads.
 */

const W = window;
const LONGEST = 30000; // ms between two looks; so all end about a minute and a half after the load

// `cmpuishown` comes with all consents false before anything was chosen: it says nothing.
function chosen(data, fine) {
  if (!fine) return;
  if (data.gdprApplies === false) {
    S.consent(true);
  } else if (/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) {
    const given = data.purpose.consents;
    S.consent(given[1] === true && given[7] === true);
  }
}

let updated; // the visitor has chosen: defaults do not matter any more
let usual; // whether all defaults grant; one for a region we are not in may deny, we cannot know
let acted = false; // on the defaults

function hear(message) {
  const [command, kind, state] = Array.from(message || []);
  const storage = command == 'consent' && state && state.analytics_storage;
  if (!storage) return;
  const granted = storage == 'granted';
  if (kind == 'update') {
    updated = true;
    S.consent(granted);
  } else if (kind == 'default') {
    usual = usual !== false && granted;
    // Further defaults follow this one, and an update may be on its way.
    setTimeout(S.safe(settle), state.wait_for_update || 0);
  }
}

// A denial by default is no refusal: it stands on every page until the platform has loaded.
function settle() {
  if (!updated && usual != acted) S.consent((acted = usual));
}

let layer;

function follow() {
  if (layer == (W.dataLayer = W.dataLayer || [])) return;
  layer = W.dataLayer;
  const push = layer.push;
  layer.forEach(S.safe(hear));
  layer.push = function () {
    const result = push.apply(this, arguments);
    Array.from(arguments).forEach(S.safe(hear));
    return result;
  };
}

// The platform may come after us, and a page may put a data layer of its own in place of ours.
let pause = 100;
const look = S.safe(() => {
  if (S.C.consent == 'google') follow();
  else if (W.__tcfapi) return W.__tcfapi('addEventListener', 2, S.safe(chosen));
  if ((pause *= 1.5) < LONGEST) setTimeout(look, pause);
});
look();
