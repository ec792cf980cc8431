import { hydrateRoot } from 'react-dom/client';
import { App } from './App.jsx';
import { steps } from './steps.js';

// A heavy page: its scripts come when the numbers are long known.
window.steps = [() => {
  hydrateRoot(document.getElementById('root'), <App />);
}, ...steps];
