import { hydrateRoot } from 'react-dom/client';
import { App } from './App.jsx';
import { steps } from './steps.js';

hydrateRoot(document.getElementById('root'), <App />);
window.steps = steps;
