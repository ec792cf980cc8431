import { hydrateRoot } from 'react-dom/client';
import { Reviews, streamed } from './Stream.jsx';
import { steps } from './steps.js';

let arrive;
const Page = streamed(new Promise((done) => { arrive = done; }));
const nextFrames = async (count) => {
  while (count--) await new Promise(requestAnimationFrame);
};

window.steps = [
  () => {
    hydrateRoot(document.getElementById('root'), <Page />);
  },
  ...steps,
  () => {
    arrive(Reviews);
    return nextFrames(5);
  },
];
