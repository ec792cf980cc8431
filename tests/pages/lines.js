/*
 * What a person would find on this page, as lines in the order of the document: each run of
 * text between two blocks, each attribute, each field's value. Shadow roots and templates are
 * looked into; frames are asked one by one. Spaces and marks that cannot be seen are spelt.
 */
() => {
  const INLINE = new Set(
    ('a abbr acronym b bdi bdo big cite code em font i ins kbd label mark nobr q s slot small span' +
      ' strong strike sub sup tspan tt u time var wbr').split(' ')
  );
  const UNSEEN = /[\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u2060-\u206f\u3000\ufeff]/g;
  const lines = [];
  let run = '';
  let attributes = [];

  const spell = (text) =>
    text
      .replace(/[ \t\n\r\f]+/g, ' ')
      .trim()
      .replace(UNSEEN, (mark) => '\\u' + mark.charCodeAt(0).toString(16).padStart(4, '0'));

  function flush() {
    if (run.trim()) lines.push(spell(run));
    lines.push(...attributes);
    run = '';
    attributes = [];
  }

  function read(node) {
    if (node.nodeType == Node.TEXT_NODE) run += node.nodeValue;
    else if (node.nodeType == Node.COMMENT_NODE) attributes.push('<!-- ' + spell(node.nodeValue));
    else if (node.nodeType == Node.ELEMENT_NODE) readElement(node);
    else node.childNodes.forEach(read);
  }

  function readElement(element) {
    // A part of ours that came when it was needed is no part of the page.
    if (element.localName == 'script' && /\/s\/acme\/\w+\.js$/.test(element.src)) return;
    const block = !INLINE.has(element.localName);
    if (block) flush();
    for (const { name, value } of element.attributes) {
      attributes.push(name + ': ' + spell(value));
    }
    if (/^(input|textarea)$/.test(element.localName)) {
      attributes.push('typed: ' + spell(element.value));
    }
    // A page with a closed root keeps it in `closedRoot`, for us to see it untouched.
    const root = element.shadowRoot || element.closedRoot || element.content;
    if (root && root.nodeType) read(root);
    element.childNodes.forEach(read);
    if (block) flush();
  }

  read(document);
  flush();
  return lines;
}
