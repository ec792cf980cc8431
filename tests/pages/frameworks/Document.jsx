import { App } from './App.jsx';

// The whole document belongs to React, as with React Router or TanStack Start.
export function Document() {
  return (
    <html lang="ru" data-skvoz-hydrate="">
      <head>
        <meta charSet="utf-8" />
        <title>Документ, 8 (495) 000-00-00</title>
        <link rel="icon" href="data:," />
        <script src="https://track.example/s/acme.js" />
        <script defer src="/react-document.js" />
      </head>
      <body>
        <header title="8 495 000-00-00">Наверху: 8 495 000-00-00</header>
        <App />
      </body>
    </html>
  );
}
