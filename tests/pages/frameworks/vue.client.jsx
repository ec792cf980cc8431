import { createApp } from 'vue';
import App from './App.vue';
import { steps } from './steps.js';

createApp(App).mount('#app');
window.steps = steps;
