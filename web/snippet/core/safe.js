/*
 * Never in the page's way: whatever goes wrong in our code ends here, as one line in the console.
 */

let said = false;

export function say(trouble) {
  if (!said) console.debug('skvoz: ' + ((trouble && trouble.message) || trouble));
  said = true;
}

export function safe(work) {
  return function () {
    try {
      return work.apply(this, arguments);
    } catch (trouble) {
      say(trouble);
    }
  };
}

export function on(target, type, work) {
  target.addEventListener(type, safe(work), { capture: true, passive: true });
}
