/*
 * The colours of the page, so that the widget looks as if it belonged there.
 *
 * What cannot be read (a colour space that the browser does not write as `rgb`) is passed over.
 */

const D = document;
const BUTTONS_AND_LINKS = 'button,[type=submit],.btn,.button,a';
const USUAL_LINK = '0,0,238'; // the browser's own blue says nothing about the page
const MOST = 20; // elements whose styles are computed for this

// [red, green, blue] of an opaque colour as computed styles write it, or of #rrggbb.
function parse(text) {
  const hex = /^#(..)(..)(..)$/.exec(text);
  if (hex) return hex.slice(1).map((pair) => parseInt(pair, 16));
  const parts = /^rgba?\((\d+), (\d+), (\d+)(, 0.*)?\)$/.exec(text);
  return parts && !parts[4] ? parts.slice(1, 4).map(Number) : null;
}

// Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
function luminance(colour) {
  const [red, green, blue] = colour.map((value) =>
    value > 10 ? ((value / 255 + 0.055) / 1.055) ** 2.4 : value / 3294.6
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function isVivid(colour) {
  return !!colour && Math.max(...colour) - Math.min(...colour) > 60 && colour.join() != USUAL_LINK;
}

const colourOf = (element, name) => parse(getComputedStyle(element)[name]);

function ofThePage() {
  const theme = D.querySelector('meta[name=theme-color]') || {};
  const elements = Array.from(D.querySelectorAll(BUTTONS_AND_LINKS)).slice(0, MOST);
  const seen = elements.map((one) => [colourOf(one, 'backgroundColor'), colourOf(one, 'color')]);
  return [parse(theme.content)].concat(...seen).find(isVivid);
}

// The owner's setting, else something vivid on the page, else the colour of its text.
export function accent(given) {
  const colour = parse(given) || ofThePage() || colourOf(D.body, 'color') || [0, 0, 0];
  // Of black and white one is always read well: at a luminance of 0.179 both have 4.58 to 1.
  return { fill: 'rgb(' + colour + ')', text: luminance(colour) > 0.179 ? '#000' : '#fff' };
}

// Whether the page is dark as it is shown now, which need not be what the system prefers.
export function isDark() {
  const ground =
    colourOf(D.body, 'backgroundColor') || colourOf(D.documentElement, 'backgroundColor');
  return !!ground && luminance(ground) < 0.2;
}
