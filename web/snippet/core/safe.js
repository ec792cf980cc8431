/*
 * Never in the page's way: whatever goes wrong in our code ends here, as one line in the console.
 */

export const D = document;

// What was said stays in `said`, for the debugging panel.
export function say(trouble) {
  if (!say.said) console.debug((say.said = 'skvoz: ' + trouble));
}

export function safe(work) {
  return (...args) => {
    try {
      return work(...args);
    } catch (trouble) {
      say(trouble);
    }
  };
}

// Heard before the page's own listeners, which may stop it.
export function on(target, type, work) {
  target.addEventListener(type, safe(work), true);
}
