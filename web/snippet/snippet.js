/*
 * The script that sites embed: it shows each visitor a number and an address of his own.
 *
 * The file is one function expression of one argument; the server serves it minified as
 * `(<this file>)(<configuration>);`, see README.md. It asks the tracker what to show, puts
 * that into the page in the page's own spelling, and tells what the visitor saw and clicked.
 *
 * It never breaks the page it is on: if we are silent, slow or talk rubbish, the page keeps
 * its own number and the console gets one debug line. No eval, no inline code, no markup.
 */
(function (C) {
  'use strict';

  const W = window;
  const D = document;

  const PATIENCE = 3000; // ms: a later answer leaves alone a number already being read
  const DWELL = 1000; // ms a number must be in view to count as seen
  const FRAME = 8; // ms of searching per frame, half of what a frame has
  const FIRST = 50; // ms for a whole page at once, so that it is done before the paint
  const LATE_IDS = 2000; // ms: by then the counters of Metrika and Google have set theirs
  const STUBBORN = 50; // swaps of one node; beyond that another script is fighting for it
  const MEMORY = 'skvoz.' + C.site;

  let said = false; // our one line in the console
  let started = false;
  let stopped = false; // consent was taken back
  let session = null;
  let visitor = null;
  let lease = 1800; // seconds a silent session keeps its number
  let beatEvery = 30; // seconds
  let ticker;
  let events = []; // what the visitor did and the tracker was not yet told
  let toldIds; // client ids as last told, as text
  let calls = []; // skvoz(...) calls that wait for consent
  const listeners = []; // of skvoz('number') and skvoz('session')

  // ---- never in the page's way ------------------------------------------------------

  function say(trouble) {
    if (!said) console.debug('skvoz: ' + ((trouble && trouble.message) || trouble));
    said = true;
  }

  function safe(work) {
    return function () {
      try {
        return work.apply(this, arguments);
      } catch (trouble) {
        say(trouble);
      }
    };
  }

  function on(target, type, work) {
    target.addEventListener(type, safe(work), { capture: true, passive: true });
  }

  // ---- memory: localStorage, else a cookie ------------------------------------------

  function cookies() {
    const found = {};
    try {
      for (const pair of D.cookie.split('; ')) {
        const at = pair.indexOf('=');
        found[pair.slice(0, at)] = decode(pair.slice(at + 1));
      }
    } catch (refused) {} // a sandboxed frame may not even look
    return found;
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch (malformed) {
      return text;
    }
  }

  function recall() {
    let kept;
    try {
      kept = localStorage.getItem(MEMORY);
    } catch (refused) {}
    try {
      return JSON.parse(kept || cookies()[MEMORY]) || {};
    } catch (unreadable) {
      return {};
    }
  }

  function remember(kept) {
    const text = JSON.stringify(kept);
    try {
      localStorage.setItem(MEMORY, text);
    } catch (refused) {
      store(encodeURIComponent(text), 31536000);
    }
  }

  function forget() {
    try {
      localStorage.removeItem(MEMORY);
    } catch (refused) {}
    store('', 0);
  }

  function store(text, seconds) {
    try {
      D.cookie = MEMORY + '=' + text + ';path=/;samesite=lax;max-age=' + seconds;
    } catch (refused) {}
  }

  // The tracker has just heard of this session: its numbers are its own for another lease.
  function touch() {
    const kept = recall();
    if (kept.session === session) {
      kept.at = Date.now();
      remember(kept);
    }
  }

  // ---- who this is for others: ids that conversions are matched by ------------------

  let metrikaId;

  function askMetrika() {
    // `ym` may be a queue still: the answer comes when the counter has loaded, or never.
    if (C.ym && typeof W.ym == 'function') {
      W.ym(C.ym, 'getClientID', (id) => {
        metrikaId = id;
      });
    }
  }

  function clientIds() {
    const jar = cookies();
    const ids = {};
    const put = (name, pattern, text) => {
      const match = pattern.exec(text || '');
      if (match) ids[name] = match[1];
    };
    const stream = C.ga
      ? '_ga_' + C.ga.replace(/^G-/, '')
      : Object.keys(jar).find((name) => /^_ga_/.test(name));
    put('ym_client_id', /^(\d{10,20})$/, metrikaId || jar._ym_uid);
    put('ga_client_id', /^GA.*\.(\d+\.\d+)$/, jar._ga);
    // GS1.1.<session>.… or, since 2025, GS2.1.<letter and value>$… in any order
    put('ga_session_id', /^GS(?:1\.\d+\.|2\.\d+\.(?:.*\$)?s)(\d+)/, jar[stream]);
    put('fbp', /^(fb\..+)/, jar._fbp);
    put('fbc', /^(fb\..+)/, jar._fbc);
    return ids;
  }

  // ---- spelling: how a number or an address looks on a page -------------------------

  const BETWEEN = '[\\s\\xad\\u200b\\u2060()\\[\\].\\-\\u2010-\\u2015\\u2212/]{0,20}';
  const COUNTRY = /^\+([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;

  // +7, 7, 8, 00…, +44 (0), a bare national number; anything usual between the digits.
  function phoneSpelling(number) {
    const parts = COUNTRY.exec(number);
    if (!parts) return null;
    const country = parts[1];
    const national = parts[2];
    const trunk = country == 7 ? '8' : country == 1 ? '1' : '0';
    const prefix =
      '(?:(?:(?:\\+|00)' + BETWEEN + ')?' + spaced(country) + BETWEEN +
      '(?:\\(0\\)' + BETWEEN + ')?|' + trunk + BETWEEN + ')?';
    return {
      number: number,
      country: country,
      national: national,
      written: [country + national, trunk + national],
      pattern: new RegExp(
        '(^|[^\\d+])(' + prefix + '\\(?' + spaced(national) + ')(?!\\d)', 'g'
      ),
    };
  }

  function spaced(digits) {
    return digits.split('').join(BETWEEN);
  }

  function mailSpelling(address) {
    const literal = address.replace(/[^\w@]/g, '\\$&');
    return {
      number: address,
      written: [],
      pattern: new RegExp('(^|[^\\w.+-])(' + literal + ')(?![\\w-]|\\.\\w)', 'gi'),
    };
  }

  // The page's own spelling with other digits; the display form where lengths differ.
  function respell(text, old, rule) {
    const fresh = COUNTRY.exec(rule.shown);
    if (!fresh || fresh[1] != old.country || fresh[2].length != old.national.length) {
      return rule.display;
    }
    let prefix = text.replace(/\D/g, '').length - old.national.length;
    let next = 0;
    return text.replace(/\d/g, (digit) => (prefix-- > 0 ? digit : fresh[2][next++]));
  }

  // ---- rules: what is replaced, and by what now -------------------------------------

  // `known`: the page's number and every one shown in its place, as spelt patterns.
  // `shown`: what stands there by our doing; `read`: the visitor has had the time to see it.
  function makeRule(from, spelling) {
    const known = spelling(from);
    return known && { from: from, spelling: spelling, known: [known], phone: from[0] == '+' };
  }

  const rules = []
    .concat(
      (C.numbers || []).map((number) => makeRule(number, phoneSpelling)),
      (C.emails || []).map((address) => makeRule(address, mailSpelling))
    )
    .filter(Boolean);

  function standing(rule) {
    return rule.shown || rule.from;
  }

  function show(rule, text, display, kind) {
    rule.shown = text;
    rule.display = display;
    rule.kind = kind;
    rule.known.push(rule.spelling(text));
  }

  function findRule(from) {
    return rules.find((rule) => rule.from == from);
  }

  // Takes a checked answer; true when the page has to change. A number shown on an open page
  // never changes, except for one of the visitor's own in place of a common one.
  function take(answer, late, settled) {
    let changed = false;
    for (const entry of answer.numbers) {
      const rule = findRule(entry.replaces);
      if (!rule || !/^(dynamic|static|overflow|own)$/.test(entry.kind)) continue;
      const open = !rule.settled && (!rule.kind || rule.kind == 'own');
      const better = entry.kind == 'dynamic' && rule.kind != 'dynamic';
      rule.settled = settled || rule.settled;
      if (!rule.kind) rule.kind = 'own';
      if (entry.kind == 'own' || !(open || better)) continue;
      if (late && rule.read) {
        rule.closed = true;
      } else {
        show(rule, entry.number, entry.display || entry.number, entry.kind);
        changed = true;
      }
    }
    for (const entry of answer.emails) {
      const rule = findRule(entry.replaces);
      if (!rule || rule.shown || (late && rule.read)) continue;
      show(rule, entry.address, entry.address, 'dynamic');
      changed = true;
    }
    return changed;
  }

  // Everything the answer is used for is checked first: half an answer is worse than none.
  function check(answer, whole) {
    const good = (value, pattern) => typeof value == 'string' && pattern.test(value);
    const numbers = (answer && answer.numbers) || [];
    const emails = (answer && answer.emails) || [];
    const fine =
      answer &&
      (!whole || (good(answer.session, /^.{1,100}$/) && good(answer.visitor, /^.{1,100}$/))) &&
      Array.isArray(numbers) &&
      Array.isArray(emails) &&
      numbers.every(
        (entry) =>
          entry &&
          (entry.kind == 'own' || good(entry.number, /^\+\d{5,15}$/)) &&
          (entry.display == null || good(entry.display, /^.{1,50}$/))
      ) &&
      emails.every(
        (entry) => entry && good(entry.address, /^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}$/)
      );
    if (!fine) throw Error('unreadable answer');
    return { numbers: numbers, emails: emails };
  }

  function within(value, least, most, otherwise) {
    return value >= least && value <= most ? +value : otherwise;
  }

  // ---- the page: find and swap ------------------------------------------------------

  const SKIP =
    'script,style,noscript,template,[data-skvoz=off],[contenteditable]:not([contenteditable=false])';
  const ATTRIBUTES = ['href', 'title', 'aria-label', 'placeholder', 'alt'];
  const PIECE = /^[\d\s\xad\u200b\u2060()[\].\-\u2010-\u2015\u2212/+]+$/; // of a phone number
  const efforts = new WeakMap(); // node → how often it was swapped
  const filter = {
    acceptNode: (node) => (node.nodeType == 1 && node.matches(SKIP) ? 2 /* reject */ : 1),
  };

  // The text with every known number and address replaced; `found` hears of each.
  function translate(text, found, plain) {
    for (const rule of rules) {
      for (const old of rule.known) {
        text = text.replace(old.pattern, (all, before, body) => {
          found(rule);
          if (!rule.shown || rule.shown == old.number) return all;
          return before + (plain ? rule.shown : respell(body, old, rule));
        });
      }
    }
    return text;
  }

  // False when another script keeps undoing what we do to this node.
  function mayWrite(node) {
    const times = (efforts.get(node) || 0) + 1;
    efforts.set(node, times);
    return times <= STUBBORN;
  }

  function swapText(node) {
    const text = node.nodeValue;
    const parent = node.parentElement;
    if (!parent || parent.nodeName == 'TEXTAREA' || !/[\d@]/.test(text)) return;
    let found = false;
    const fresh = translate(text, (rule) => {
      found = true;
      watch(parent, rule);
    });
    if (fresh != text && mayWrite(node)) node.nodeValue = fresh;
    if (!found && text.length < 40 && PIECE.test(text)) swapPieces(text, parent);
  }

  // A number split by inline tags: `+7 <b>495</b> 000-00-00`.
  function swapPieces(text, parent) {
    const digits = text.replace(/\D/g, '');
    const ours = rules.some((rule) =>
      rule.known.some((old) => old.written.some((written) => written.includes(digits)))
    );
    for (let up = 0; ours && parent && up < 4; up++, parent = parent.parentElement) {
      if (parent.childNodes.length > 30 || parent.textContent.length > 200) return;
      if (swapAcross(parent)) return;
    }
  }

  function swapAcross(parent) {
    const walker = D.createTreeWalker(parent, 5 /* elements, texts */, filter);
    const nodes = [];
    while (walker.nextNode()) {
      if (walker.currentNode.nodeType == 3) nodes.push(walker.currentNode);
    }
    const text = nodes.map((node) => node.nodeValue).join('');
    let found = false;
    const fresh = translate(text, (rule) => {
      found = true;
      watch(parent, rule);
    });
    if (fresh != text && mayWrite(parent)) spread(nodes, text, fresh);
    return found;
  }

  // Writes a changed text back into the nodes it was read from: character by character where
  // lengths agree, else what changed goes into the first node that held a part of it.
  function spread(nodes, text, fresh) {
    const same = fresh.length == text.length;
    let start = 0;
    while (text[start] == fresh[start]) start++;
    let end = text.length;
    let tail = fresh.length;
    while (end > start && tail > start && text[end - 1] == fresh[tail - 1]) {
      end--;
      tail--;
    }
    let middle = fresh.slice(start, tail);
    let at = 0;
    for (const node of nodes) {
      const old = node.nodeValue;
      const from = Math.min(Math.max(start - at, 0), old.length);
      const to = Math.min(Math.max(end - at, 0), old.length);
      const share = same ? to - from : start <= at + old.length ? middle.length : 0;
      const value = old.slice(0, from) + middle.slice(0, share) + old.slice(to);
      middle = middle.slice(share);
      at += old.length;
      if (value != old) node.nodeValue = value;
    }
  }

  function swapAttributes(element) {
    for (const attribute of element.attributes) {
      const name = attribute.name;
      if (!ATTRIBUTES.includes(name) && !/^data-(?!skvoz)/.test(name)) continue;
      const value = attribute.value;
      const link = /^(tel:|callto:|mailto:)([^?]*)([^]*)$/i.exec(value);
      if (value.length > 2000 || (name == 'href' && !link)) continue;
      const old = link ? decode(link[2]) : value;
      const fresh = translate(old, (rule) => {
        if (name == 'href') watch(element, rule);
      }, link);
      if (fresh != old && mayWrite(element)) {
        attribute.value = link ? link[1] + encodeURI(fresh) + link[3] : fresh;
      }
    }
  }

  function swapNode(node) {
    if (node.nodeType == 3) swapText(node);
    else if (node.nodeType == 1) swapAttributes(node);
  }

  // Roots wait in `todo`; each frame searches for a few milliseconds and leaves the rest.
  let todo = [];
  let root = null;
  let walker = null;
  let frame = 0;
  let spent = 0;
  let booked = false;

  function search(node) {
    const holder = node.nodeType == 1 ? node : node.parentElement;
    if (holder && holder.closest(SKIP)) return;
    if (todo.length > 500) todo = [D];
    else todo.push(node);
  }

  function work(budget) {
    const began = performance.now();
    if (began - frame > 16) {
      frame = began;
      spent = 0;
    }
    if (spent > budget) return later();
    for (let count = 1; ; count++) {
      if (!walker) {
        if (!todo.length) break;
        root = todo.shift();
        walker = D.createTreeWalker(root, 5 /* elements, texts */, filter);
      } else if (!root.contains(walker.currentNode)) {
        walker.currentNode = root; // the page took away what we stood on
      }
      swapNode(walker.currentNode);
      if (!walker.nextNode()) walker = null;
      if (count % 16 == 0 && performance.now() - began + spent > budget) {
        later();
        break;
      }
    }
    spent += performance.now() - began;
  }

  function later() {
    if (booked) return;
    booked = true;
    // A hidden page has no frames, a timer runs anyway.
    setTimeout(safe(() => {
      booked = false;
      work(FRAME);
    }), 16);
  }

  function searchPage() {
    todo = [];
    walker = null;
    search(D);
    spent = 0;
    work(FIRST);
  }

  function noticed(records) {
    for (const record of records) {
      if (record.type == 'attributes') {
        if (!record.target.closest(SKIP)) swapAttributes(record.target);
      } else if (record.type == 'characterData') {
        search(record.target);
      } else {
        for (const node of record.addedNodes) search(node);
      }
    }
    work(FRAME);
  }

  // ---- what the visitor sees and clicks ---------------------------------------------

  const watched = new WeakMap(); // element → { epoch, rules }
  const timers = new WeakMap(); // element in view → its dwell timer
  const revealed = new Set(); // numbers told as seen in this session
  let epoch = 0; // grows when numbers or the session change: a new number is seen anew
  let visibleSince = Date.now();
  let eyes = null;

  function watch(element, rule) {
    let entry = watched.get(element);
    if (!entry || entry.epoch != epoch) {
      watched.set(element, (entry = { epoch: epoch, rules: new Set() }));
      if (eyes) {
        eyes.unobserve(element);
        eyes.observe(element);
      }
    }
    entry.rules.add(rule);
  }

  function looked(entries) {
    for (const entry of entries) {
      const element = entry.target;
      clearTimeout(timers.get(element));
      const enough =
        entry.intersectionRatio >= 0.5 || entry.intersectionRect.height > W.innerHeight * 0.4;
      if (entry.isIntersecting && enough) dwell(element);
    }
  }

  function dwell(element) {
    timers.set(element, setTimeout(safe(() => {
      if (!element.isConnected) return;
      const visible =
        !D.hidden &&
        Date.now() - visibleSince >= DWELL &&
        (!element.checkVisibility ||
          element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }));
      if (visible) see(element);
      else dwell(element);
    }), DWELL));
  }

  function see(element) {
    watched.get(element).rules.forEach(seen);
  }

  function seen(rule) {
    rule.read = true;
    const number = standing(rule);
    if (!rule.phone || revealed.has(number)) return;
    rule.wanted = !session;
    if (!session) return; // told when the tracker has answered
    revealed.add(number);
    tell('reveal', number);
  }

  // Pointing at a number comes a moment before a click or a touch, and so does the focus.
  function pointed(event) {
    let element = event.target;
    for (let up = 0; element && up < 5; up++, element = element.parentNode) {
      if (watched.has(element)) see(element);
    }
  }

  function clicked(event) {
    const link = event.target.closest && event.target.closest('a[href],area[href]');
    const parts = link && /^(tel|callto|mailto):([^?]*)/i.exec(link.getAttribute('href'));
    if (!parts || link.closest(SKIP)) return;
    const hit = new Set();
    translate(decode(parts[2]), (rule) => hit.add(rule));
    hit.forEach((rule) => {
      rule.read = true;
      tell(rule.phone ? 'tel_click' : 'mail_click', standing(rule));
    });
  }

  // ---- talking to the tracker -------------------------------------------------------

  // A string body travels as text/plain: no CORS preflight.
  function post(path, body) {
    return fetch(C.api + path, {
      method: 'POST',
      body: JSON.stringify(body),
      keepalive: true,
      credentials: 'omit',
    }).then((answer) => {
      if (answer.ok) return answer;
      const trouble = Error(path + ' ' + answer.status);
      trouble.refused = answer.status < 500 && answer.status != 429;
      throw trouble;
    });
  }

  const REFUSED = 99; // failures, at once: asking again will not change a refusal
  let failures = 0; // of visits, in a row
  let visiting = 0; // which page view is in the air, counted from 1
  let asked = 0; // page views sent
  let heard = 0; // the latest of them that was answered
  const visits = []; // page views that wait for the one in the air

  function visit(url, referrer) {
    if (failures >= REFUSED) return;
    if (visiting) {
      if (visits.length < 20) visits.push([url, referrer]);
      return;
    }
    const turn = (visiting = ++asked);
    const sent = performance.now();
    const kept = recall();
    const ids = clientIds();
    const done = safe(() => {
      if (visiting != turn) return;
      visiting = 0;
      if (visits.length) visit(...visits.shift());
    });
    setTimeout(done, PATIENCE);
    toldIds = JSON.stringify(ids);
    post('/v1/visits', {
      site: C.site,
      url: url.slice(0, 8000),
      referrer: referrer.slice(0, 8000),
      visitor: kept.visitor || visitor,
      session: kept.session || session,
      consent: true,
      ids: ids,
      replaces: rules.map((rule) => rule.from),
    })
      .then((answer) => answer.json())
      .then((answer) => {
        if (stopped || turn < heard) return; // overtaken by a later page's answer
        settle(answer, performance.now() - sent > PATIENCE);
        heard = turn;
      })
      .catch((trouble) => {
        failures += trouble.refused ? REFUSED : 1;
        say(trouble);
      })
      .then(done);
  }

  // The tracker has told who this is and what to show.
  function settle(answer, late) {
    const checked = check(answer, true);
    failures = 0;
    const other = session && session != answer.session;
    session = answer.session;
    visitor = answer.visitor;
    lease = within(answer.lease_seconds, 1, 1e7, 1800);
    setBeat(within(answer.beat_seconds, 1, 3600, 30));
    remember({
      visitor: visitor,
      session: session,
      numbers: checked.numbers,
      emails: checked.emails,
      lease: lease,
      at: Date.now(),
    });
    if (other) revealed.clear();
    if (take(checked, late, true) || other) renew();
    announce();
    for (const rule of rules) if (rule.wanted) seen(rule);
    if (events.length) beat();
  }

  // Numbers have changed: put them into the page, and wait for them to be seen anew.
  function renew() {
    epoch++;
    for (const rule of rules) rule.wanted = false;
    searchPage();
  }

  function tell(type, target) {
    events.push({ type: type, at: Date.now() / 1000, target: target });
    if (events.length > 50) events.shift();
    beat();
  }

  // A common number is about to be read: it is the moment to ask for one of his own.
  function isLate(event) {
    return rules.some((rule) => {
      const common = rule.kind && rule.kind != 'dynamic' && !rule.closed;
      return rule.phone && common && standing(rule) == event.target;
    });
  }

  function beat() {
    if (!session || stopped) return;
    const batch = events;
    const body = beatBody(D.hidden ? 'hidden' : 'visible');
    const sent = performance.now();
    const late = batch.some(isLate);
    post(late ? '/v1/events' : '/v1/beats', body)
      .then(
        (answer) => {
          touch();
          return late && answer.json();
        },
        (trouble) => {
          if (!trouble.refused) events = batch.concat(events).slice(-50);
          throw trouble;
        }
      )
      .then((given) => {
        if (late && !stopped) allocated(given, performance.now() - sent > PATIENCE);
      })
      .catch(say);
  }

  function beatBody(state) {
    const body = { session: session, state: state, events: events };
    const ids = clientIds();
    const text = JSON.stringify(ids);
    if (text != toldIds) body.ids = ids;
    toldIds = text;
    events = [];
    return body;
  }

  // Leaving: nobody will be here for the answer, the browser carries the message alone.
  function leave(state) {
    if (!session || stopped) return;
    const body = beatBody(state);
    const beacon = navigator.sendBeacon;
    if (!beacon || !beacon.call(navigator, C.api + '/v1/beats', JSON.stringify(body))) {
      post('/v1/beats', body).catch(say);
    }
  }

  // A number was lent at the last moment; it is this visitor's on the next pages too.
  function allocated(given, late) {
    const checked = check(given, false);
    if (!checked.numbers.length) return;
    const kept = recall();
    if (kept.session === session) {
      for (const entry of checked.numbers) {
        kept.numbers = kept.numbers
          .filter((old) => old.replaces != entry.replaces)
          .concat(entry);
      }
      remember(kept);
    }
    // The visitor reads it already: only the wait for this answer counts, not `read`.
    if (!late && take(checked, false, true)) {
      renew();
      announce();
    }
  }

  function setBeat(seconds) {
    if (ticker && seconds == beatEvery) return;
    beatEvery = seconds;
    clearInterval(ticker);
    ticker = setInterval(safe(tick), seconds * 1000);
  }

  function tick() {
    if (D.hidden || stopped) return;
    if (session) beat();
    else if (!visiting && failures < 3) visit(here, cameFrom);
  }

  // ---- pages come and go ------------------------------------------------------------

  let here = location.href;
  let cameFrom = D.referrer;
  let hiddenAt = 0;
  let left = false;

  // A fragment is a place in the page, unless the site routes by it.
  function pageOf(url) {
    return url.replace(/#(?![/!]).*$/, '');
  }

  function routed() {
    if (stopped || pageOf(location.href) == pageOf(here)) return;
    cameFrom = here;
    here = location.href;
    visit(here, cameFrom);
  }

  function followRoutes() {
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name];
      const follow = safe(routed);
      history[name] = function () {
        const result = original.apply(this, arguments);
        follow();
        return result;
      };
    }
    on(W, 'popstate', routed);
  }

  function turned() {
    if (D.hidden) {
      hiddenAt = Date.now();
      if (!left) leave('hidden');
      return;
    }
    visibleSince = Date.now();
    if (left) return; // back from the browser's cache, `pageshow` takes it up
    if (hiddenAt && visibleSince - hiddenAt > lease * 1000) again();
    else beat();
  }

  function again() {
    if (!stopped) visit(here, cameFrom);
  }

  function followVisibility() {
    on(D, 'visibilitychange', turned);
    on(W, 'pagehide', () => {
      left = true;
      leave('left');
    });
    on(W, 'pageshow', (event) => {
      left = false;
      hiddenAt = 0;
      if (event.persisted) again();
    });
  }

  // ---- skvoz(…), the page's side ----------------------------------------------------

  function announce() {
    for (const listener of listeners) inform(listener);
  }

  // Each listener hears when what it asked for becomes known, and when it changes.
  function inform(listener) {
    const first = rules.find((rule) => rule.phone);
    const known = listener.about == 'session' ? session : first && first.kind && standing(first);
    if (!known || known == listener.heard) return;
    listener.heard = known;
    safe(listener.callback)(known);
  }

  function listen(about) {
    return (callback) => {
      const listener = { about: about, callback: callback };
      listeners.push(listener);
      inform(listener);
    };
  }

  function newId() {
    const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)));
    return bytes.map((byte) => (byte + 256).toString(16).slice(1)).join('');
  }

  // A form: worth trying again for, its id makes telling it twice harmless.
  function contact(given) {
    const who = session
      ? { session: session }
      : visitor
      ? { visitor: visitor }
      : { url: here, referrer: cameFrom };
    const body = Object.assign({ channel: 'form', id: newId() }, given, { site: C.site }, who);
    let tries = 0;
    (function attempt() {
      post('/v1/contacts', body).catch((trouble) => {
        say(trouble);
        if (!trouble.refused && tries < 4) setTimeout(attempt, 1000 * 3 ** tries++);
      });
    })();
  }

  const commands = {
    goal: (name) => {
      tell('goal', String(name).slice(0, 200));
    },
    contact: contact,
    number: listen('number'),
    session: listen('session'),
  };

  function command(args) {
    const name = args[0];
    if (name == 'consent') {
      if (args[1]) start();
      else withdraw();
    } else if (!started) {
      if (calls.length < 50) calls.push(args);
    } else if (!stopped && commands.hasOwnProperty(name)) {
      commands[name](args[1]);
    }
  }

  function withdraw() {
    if (started) stopped = true;
    calls = [];
    events = [];
    session = visitor = null;
    ticker = clearInterval(ticker);
    forget();
  }

  // ---- start ------------------------------------------------------------------------

  function start() {
    if (started) {
      if (stopped) resume();
      return;
    }
    started = true;
    // While the page is only being prepared nobody sees it: no number is due yet.
    if (D.prerendering) on(D, 'prerenderingchange', begin);
    else begin();
  }

  function resume() {
    stopped = false;
    again();
    setBeat(beatEvery);
  }

  function begin() {
    const kept = recall();
    visitor = kept.visitor || null;
    lease = within(kept.lease, 1, 1e7, lease);
    const age = Date.now() - kept.at;
    if (age >= 0 && age < lease * 1000) {
      safe(() => {
        take(check(kept, true), false, false);
        session = kept.session;
      })();
    }
    safe(visit)(here, cameFrom);
    safe(askMetrika)();
    if (W.IntersectionObserver) {
      eyes = new IntersectionObserver(safe(looked), { threshold: [0, 0.1, 0.3, 0.5] });
    }
    new MutationObserver(safe(noticed)).observe(D, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: ATTRIBUTES,
    });
    searchPage();
    on(D, 'pointerover', pointed);
    on(D, 'focusin', pointed);
    on(D, 'click', clicked);
    followVisibility();
    safe(followRoutes)();
    setBeat(beatEvery);
    setTimeout(safe(() => {
      if (JSON.stringify(clientIds()) != toldIds) beat();
    }), LATE_IDS);
    for (const args of calls.splice(0)) safe(command)(args);
  }

  safe(() => {
    const before = W.skvoz;
    if (before && before.loaded) return; // embedded twice
    const tag = D.currentScript;
    W.skvoz = (...args) => safe(command)(args);
    W.skvoz.loaded = true;
    for (const args of (before && before.q) || []) safe(command)(args);
    const wait = C.consent == 'wait' || (tag && tag.getAttribute('data-consent') == 'wait');
    if (!wait) start();
  })();
})
