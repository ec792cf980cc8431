import { hydrateRoot } from 'react-dom/client';
import { Page } from './Page.jsx';
import { steps } from './steps.js';

const { props } = JSON.parse(document.getElementById('__NEXT_DATA__').textContent);
window.steps = [() => {
  hydrateRoot(document.getElementById('__next'), <Page {...props} />);
}, ...steps];
