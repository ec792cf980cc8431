/*
 * The visitor's id at Yandex Metrika, as its counter tells it: getClientID of
 * https://yandex.com/support/metrica/objects/get-client-id.html
 *
 * `ym` may not be there yet, and then a queue still: the answer comes when the counter has
 * loaded, or never.
 */

const WAIT = 100; // ms between looks for the tag

let tries = 20; // all within the time after which the core tells ids that came late
const ask = S.safe(() => {
  if (window.ym) {
    window.ym(S.C.ym, 'getClientID', (id) => {
      S.hooks.ids = { ym_client_id: id };
    });
  } else if (tries--) {
    setTimeout(ask, WAIT);
  }
});
ask();
