/*
 * Elements of the widget, made by DOM properties alone: no markup, whatever the page's policy.
 */

const SVG = 'http://www.w3.org/2000/svg';

export function make(name, properties, ...children) {
  const element = document.createElement(name);
  for (const key of Object.keys(properties)) {
    if (key in element) element[key] = properties[key];
    else element.setAttribute(key, properties[key]);
  }
  element.append(...children);
  return element;
}

// Drawn on a square of 24 by strokes two wide.
export const PHONE = 'M8 4l2 4-2 2c1 3 3 5 6 6l2-2 4 2c0 2-2 4-4 4C10 19 5 14 4 8c0-2 2-4 4-4z';
export const CHAT = 'M4 5h16v11h-8l-5 4v-4H4z';
export const PLANE = 'M20 5 4 11l5 3 2 5 3-3 4 3zL9 14';
export const CROSS = 'M6 6l12 12M18 6 6 18';
export const TICK = 'M5 12l5 5L19 7';

// It always stands beside a name that is read out.
export function icon(drawing) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', true);
  path.setAttribute('d', drawing);
  svg.append(path);
  return svg;
}
