/*
 * Never in the page's way: whatever goes wrong in our code ends here, as one line in the console.
 */

// What was said stays in `said`, for the debugging panel.
export function say(trouble) {
  if (!say.said) console.debug((say.said = 'skvoz: ' + ((trouble && trouble.message) || trouble)));
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
