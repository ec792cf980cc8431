/*
 * What a visitor does on the page of a framework, for `window.steps`. Each leaves what the
 * framework does with it the time of a frame.
 */
const at = (id) => document.getElementById(id);
const press = (id) => () => at(id).click();

export const steps = [
  press('count'),
  press('city'), // another number, in the same places
  press('city'), // and the first again
  press('open'), // a new paragraph with a number
  press('more'), // a longer list
  press('count'),
  () => {
    // As React and Vue hear of typing.
    const input = at('name');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'Анна');
    input.dispatchEvent(new Event('input', { bubbles: true }));
  },
  press('turn'), // the same list in another order
  press('city'),
];
