import { App } from './App.jsx';

// The whole document belongs to React, as with React Router or TanStack Start.
export function Document() {
  return (
    <html lang="ru">
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
        <script dangerouslySetInnerHTML={{ __html: 'window.__reactRouterContext = {}' }} />
      </body>
    </html>
  );
}
