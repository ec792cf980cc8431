import { createSSRApp } from 'vue';
import { renderToString } from 'vue/server-renderer';
import App from './App.vue';
import { shell } from './shell.js';

export const html = async () =>
  shell('vue-hydrated', `<div id="app">${await renderToString(createSSRApp(App))}</div>`);
