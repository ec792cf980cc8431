/*
 * How the widget looks. Owners change it by the custom properties `--skvoz-…` on the page's root
 * element, or by `skvoz-widget::part(…)`. `--accent`, `--on` and `--font` come from colours.js.
 */

const CSS = `
:host{all:initial;position:fixed;z-index:var(--skvoz-z,2147483000)}
*{box-sizing:border-box;margin:0;padding:0;font:inherit;color:inherit}
.all{--fg:#1a1c20;--bg:#fff;--dim:#5a606b;--bad:#b3261e;--x:calc(var(--skvoz-x,20px) + env(safe-area-inset-right));
--y:calc(var(--skvoz-y,20px) + env(safe-area-inset-bottom));--place:auto var(--x) var(--y) auto;
--r:var(--skvoz-radius,20px);font:400 16px/1.45 var(--font);color:var(--fg);color-scheme:light}
.left{--place:auto auto var(--y) var(--x)}
.dark{--fg:#f2f3f5;--bg:#202329;--dim:#adb3be;--bad:#ff9a91;color-scheme:dark}
svg{width:24px;height:24px;fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
button{border:1px solid transparent;background:none;cursor:pointer}
.launcher,.send,.done svg{background:var(--accent);color:var(--on)}
.launcher{width:60px;height:60px;box-shadow:0 4px 20px #0006}
.launcher,dialog{position:fixed;inset:var(--place)}
.launcher,.close,svg{display:grid;place-items:center;border-radius:50%}
dialog{width:360px;max-width:calc(100% - 2*var(--x));max-height:calc(100% - 2*var(--y));border:0;
border-radius:var(--r);overscroll-behavior:contain;background:var(--bg);color:var(--fg);box-shadow:0 4px 40px #0006}
dialog[open]~.launcher{visibility:hidden}
dialog>div{position:relative;padding:24px}
dialog::backdrop{background:#0006}
h2{font-size:22px;font-weight:700;margin-right:40px}
b{font-weight:700}
h2:focus{outline:0}
.close{position:absolute;top:16px;right:12px;width:44px;height:44px}
.lead,label,.or,::placeholder{color:var(--dim);opacity:1}
form>*{display:block;width:100%;margin-top:14px}
form>:empty{margin:0}
label,.or,.error{font-size:14px}
input,select{display:block;width:100%;height:48px;margin-top:4px;padding:0 12px;font-size:17px;background:none;
color:var(--fg);border:1px solid #868c97;border-radius:calc(var(--r)/2)}
select{padding:0 8px}
[aria-invalid=true]{border-color:var(--bad);box-shadow:0 0 0 1px var(--bad)}
.error{margin-top:4px;color:var(--bad)}
.agree,li a{display:flex;gap:10px;align-items:center;min-height:48px;color:var(--fg)}
.agree input{flex:none;width:22px;height:22px;margin:0;accent-color:var(--accent)}
.send{width:100%;min-height:52px;margin-top:14px;font-size:17px;font-weight:600;border-radius:calc(var(--r)/2)}
[aria-disabled=true]{opacity:.8}
.trouble,li a{padding:8px 10px;background:#8882;border-radius:calc(var(--r)/2);text-decoration:none}
.trouble a{display:block;padding:8px 0;font-size:20px;font-weight:700}
.done svg{width:56px;height:56px;padding:12px;margin:14px 0}
.or{margin:20px 0 -6px}
ul{display:grid;grid-template-columns:1fr 1fr;gap:8px;margin-top:14px;list-style:none}
li svg{flex:none;width:32px;height:32px;padding:6px;background:var(--brand);color:#fff}
:focus-visible{outline:3px solid var(--fg);outline-offset:2px}
button:hover{filter:brightness(1.1)}
li a:hover{text-decoration:underline}
@media(max-width:480px){dialog{inset:auto 0 0;width:auto;max-width:none;border-radius:var(--r) var(--r) 0 0}
dialog>div{padding:20px 20px calc(20px + env(safe-area-inset-bottom))}}
@media(prefers-reduced-motion:no-preference){dialog[open]{animation:rise .2s}}
@keyframes rise{from{opacity:0;transform:translateY(16px)}}
@media print{:host{display:none}}
`;

// Constructed sheets pass any policy; browsers without them get an element of the same text.
export function dress(root) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
  } catch (old) {
    const element = document.createElement('style');
    element.textContent = CSS;
    root.append(element);
  }
  return root;
}
