/*
 * Builds the pages of frameworks as their own tools would for production.
 *
 * `node build.mjs MODULES OUT`: MODULES is the node_modules that packages are taken from. Each
 * `NAME.server.jsx` is run once and exports the page's HTML; `NAME.client.jsx` is bundled and
 * minified for the browser as `NAME.js`.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [modules, out] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(modules, 'any.js'));
const { build } = require('esbuild');
const { compileScript, parse } = require('vue/compiler-sfc');

// Components of Vue with their templates compiled, static parts hoisted.
const vue = {
  name: 'vue',
  setup({ onLoad }) {
    onLoad({ filter: /\.vue$/ }, ({ path }) => {
      const { descriptor } = parse(readFileSync(path, 'utf8'), { filename: path });
      const { content } = compileScript(descriptor, { id: 'app', inlineTemplate: true, isProd: true });
      return { contents: content, resolveDir: here };
    });
  },
};

function bundle(kind, options) {
  const names = readdirSync(here).filter((name) => name.endsWith(`.${kind}.jsx`));
  return build({
    entryPoints: names.map((name) => ({ in: join(here, name), out: name.split('.')[0] })),
    bundle: true,
    minify: true,
    nodePaths: [modules],
    plugins: [vue],
    jsx: 'automatic',
    define: {
      'process.env.NODE_ENV': '"production"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
    },
    ...options,
  }).then(() => names.map((name) => name.split('.')[0]));
}

await bundle('client', { format: 'iife', outdir: out });
const server = { platform: 'node', format: 'cjs', outdir: join(out, 'server') };
for (const name of await bundle('server', { ...server, outExtension: { '.js': '.cjs' } })) {
  const { html } = require(join(out, 'server', `${name}.cjs`));
  writeFileSync(join(out, `${name}.html`), await html());
}
