import { shell } from './shell.js';

export const html = () => shell('vue', '<div id="app"></div>');
