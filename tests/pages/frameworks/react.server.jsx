import { shell } from './shell.js';

export const html = () => shell('react', '<div id="root"></div>');
