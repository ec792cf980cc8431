/*
 * Numbers that are no text: pictures of a number, and what style sheets write beside elements.
 *
 * <img data-skvoz-image="8 (495) 000-00-00"> gets a picture of the number now shown, spelt that
 * way, in the element's colour and font and of the old picture's size. The class `skvoz-before`
 * or `skvoz-after` says that such a pseudo-element of the element holds a number. Both without
 * markup or inline styles: an image's address, a constructed style sheet.
 */

const D = document;
const SVG = 'http://www.w3.org/2000/svg';
const ANCHORS = { center: 'middle', right: 'end', end: 'end' };

// What stands there with our numbers in it; nothing when none of them is to be shown.
function translated(element, text) {
  let known;
  const fresh = S.translate(text, (rule) => {
    known = rule;
    S.watch(element, rule);
  });
  if (fresh == text) return null;
  return /^\+\d+$/.test(text) ? known.display : fresh;
}

// ---- pictures -------------------------------------------------------------------------

const pictures = new WeakMap(); // image → what it was, and what it shows by our doing

function swapPicture(image) {
  let old = pictures.get(image);
  if (!old) {
    pictures.set(image, (old = {}));
    S.on(image, 'load', () => swapPicture(image));
    S.on(image, 'error', () => giveBack(old));
  }
  const text = translated(image, image.getAttribute('data-skvoz-image'));
  // Until the old picture is there nobody knows how large it is.
  if (!text || old.refused || !image.naturalWidth) return;
  if (!old.sets) {
    const picture = image.closest('picture');
    const all = (picture ? [...picture.querySelectorAll('source')] : []).concat(image);
    old.sets = all.map((part) => [part, part.getAttribute('srcset')]);
    old.size = [image.naturalWidth, image.naturalHeight];
  }
  const url = draw(text, getComputedStyle(image), ...old.size);
  if (url == old.url) return;
  old.url = url;
  // `srcset` goes before `src`, which stays.
  for (const [part] of old.sets) part.srcset = url;
}

// The page's policy may refuse pictures from `data:`.
function giveBack(old) {
  if (!old.url || old.refused) return;
  old.refused = true;
  for (const [part, srcset] of old.sets) {
    if (srcset == null) part.removeAttribute('srcset');
    else part.srcset = srcset;
  }
}

// The text as large as the picture allows. A picture has the system's fonts only, so they are
// what is measured where the page has others.
function draw(text, style, width, height) {
  const { fontStyle, fontWeight, fontFamily, color, textAlign } = style;
  const pen = D.createElement('canvas').getContext('2d');
  pen.font = [fontStyle, fontWeight, '100px', fontFamily].join(' ');
  const size = Math.min(height * 0.8, (width / pen.measureText(text).width) * 95);
  const anchor = ANCHORS[textAlign] || 'start';
  const picture = make('svg', { width, height, viewBox: [0, 0, width, height].join(' ') });
  const words = make('text', {
    x: { start: 0, middle: width / 2, end: width }[anchor],
    y: height / 2,
    fill: color,
    'text-anchor': anchor,
    'dominant-baseline': 'central',
    'font-size': size,
    'font-style': fontStyle,
    'font-weight': fontWeight,
    'font-family': fontFamily,
  });
  words.textContent = text;
  picture.append(words);
  const markup = new XMLSerializer().serializeToString(picture);
  return 'data:image/svg+xml,' + encodeURIComponent(markup);
}

function make(name, attributes) {
  const element = D.createElementNS(SVG, name);
  for (const key of Object.keys(attributes)) element.setAttribute(key, attributes[key]);
  return element;
}

// ---- pseudo-elements ------------------------------------------------------------------

const kept = new Map(); // a pseudo-element with its content → the mark of its elements
let sheet;

function swapBeside(element, which) {
  const fresh = translated(element, getComputedStyle(element, '::' + which).content);
  if (!fresh) return;
  adopt(element.getRootNode());
  const mark = 'data-skvoz-' + which;
  const name = which + fresh;
  if (!kept.has(name)) {
    kept.set(name, kept.size);
    const at = sheet.insertRule(`[${mark}="${kept.get(name)}"]::${which}{}`);
    sheet.cssRules[at].style.setProperty('content', fresh, 'important');
  }
  element.setAttribute(mark, kept.get(name));
}

// A shadow root has style sheets of its own.
function adopt(root) {
  sheet = sheet || new CSSStyleSheet();
  if (!root.adoptedStyleSheets.includes(sheet)) {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  }
}

S.each((element) => {
  if (element.ownerDocument != D) return; // a frame takes no style sheet of another document
  if (element.localName == 'img' && element.hasAttribute('data-skvoz-image')) {
    swapPicture(element);
  }
  for (const which of D.adoptedStyleSheets ? ['before', 'after'] : []) {
    if (element.classList.contains('skvoz-' + which)) swapBeside(element, which);
  }
});
// Style sheets may come later than what they are for.
if (D.readyState != 'complete') S.on(window, 'load', () => S.again());
