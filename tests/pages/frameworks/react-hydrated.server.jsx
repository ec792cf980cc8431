import { renderToString } from 'react-dom/server';
import { App } from './App.jsx';
import { shell } from './shell.js';

export const html = () =>
  shell('react-hydrated', `<div id="root">${renderToString(<App />)}</div>`);
