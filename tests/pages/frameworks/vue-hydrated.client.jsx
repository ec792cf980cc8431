import { createSSRApp } from 'vue';
import App from './App.vue';
import { steps } from './steps.js';

createSSRApp(App).mount('#app');
window.steps = steps;
