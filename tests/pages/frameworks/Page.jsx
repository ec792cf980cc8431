import { App } from './App.jsx';

// A page whose data comes from the server.
export function Page({ phone, mail }) {
  return (
    <div className="layout">
      <header>
        <a href={`tel:${phone.replace(/[^+\d]/g, '')}`}>{phone}</a>
        <a href={`mailto:${mail}`}>Почта: {mail}</a>
      </header>
      <App />
    </div>
  );
}
