import { createRoot } from 'react-dom/client';
import { App } from './App.jsx';
import { steps } from './steps.js';

createRoot(document.getElementById('root')).render(<App />);
window.steps = steps;
