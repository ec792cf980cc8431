import { createSSRApp } from 'vue';
import App from './App.vue';
import { steps } from './steps.js';

window.steps = [() => {
  createSSRApp(App).mount('#app');
}, ...steps];
