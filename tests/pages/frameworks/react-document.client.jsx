import { hydrateRoot } from 'react-dom/client';
import { Document } from './Document.jsx';
import { steps } from './steps.js';

window.steps = [() => {
  hydrateRoot(document, <Document />);
}, ...steps];
