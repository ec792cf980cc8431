import { renderToString } from 'react-dom/server';
import { Page } from './Page.jsx';
import { shell } from './shell.js';

const props = { phone: '+7 (495) 000-00-00', mail: 'info@acme.example' };

export const html = () =>
  shell(
    'next',
    `<div id="__next">${renderToString(<Page {...props} />)}</div>`,
    `<script id="__NEXT_DATA__" type="application/json">${JSON.stringify({ props })}</script>`
  );
