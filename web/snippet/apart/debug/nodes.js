/*
 * Elements without markup: a strict policy and Trusted Types have nothing to object to.
 */

export function make(name, properties, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function button(text, work, label) {
  const node = make('button', { type: 'button', onclick: S.safe(work) }, text);
  if (label) node.setAttribute('aria-label', (node.title = label));
  return node;
}

// What is bad is marked, and stands open.
export function fold(title, content, bad, open) {
  const summary = make('summary', { className: bad ? 'bad' : '' }, ...title);
  return make('details', { open: bad || open }, summary, content);
}
