/*
 * How the panel looks, whatever the page's styles say. The system's colours follow its theme.
 */

export const CSS = `
:host { all: initial }
* { box-sizing: border-box; margin: 0; padding: 0; font-size: 13px }
[hidden] { display: none !important }
.top {
  position: fixed; z-index: 2147483647; right: 12px; bottom: 12px; color-scheme: light dark;
  overflow: auto; max-width: min(420px, 100vw - 24px); max-height: min(640px, 80vh);
  font: 13px/1.45 system-ui; color: CanvasText; background: Canvas;
  border: 1px solid #8886; border-radius: 10px; box-shadow: 0 8px 28px #0004;
}
h2, h3 { display: inline-block }
summary { cursor: pointer; padding: 4px 0 }
.top > summary { position: sticky; top: 0; padding: 8px 14px; background: Canvas }
details details { border-top: 1px solid #8886; padding: 4px 14px }
details details details { border: 0; padding: 0 }
button {
  font: inherit; color: inherit; background: none; cursor: pointer; padding: 3px 8px;
  border: 1px solid #8886; border-radius: 6px; min-height: 28px; margin: 0 0 8px 14px;
}
button:hover, pre { background: #8882 }
h3::first-letter, div:not(.wide) > dt::first-letter, .top > div > button::first-letter { text-transform: uppercase }
:focus-visible { outline: 2px solid; outline-offset: -2px }
dl > div { display: grid; grid-template-columns: 116px 1fr; gap: 8px; padding: 2px 0 }
dl > .wide { display: block }
dd, dt, pre { overflow-wrap: anywhere; white-space: pre-wrap }
dt, small { opacity: .75 }
.wide dt { opacity: 1; font-weight: 600 }
li { list-style: none }
li button { width: 100%; text-align: start; border: 0; margin: 0 -8px }
code, pre, textarea { font: 12px/1.4 monospace }
pre { margin: 2px 0 6px; padding: 8px; max-height: 220px; overflow: auto }
p, textarea { margin: 0 14px 8px }
.bad { color: light-dark(#b42318, #ff9492) }
@media print { :host { display: none } }
`;
