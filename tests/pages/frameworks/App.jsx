import { useState } from 'react';

const PHONES = { msk: '8 (495) 000-00-00', all: '+7 495 000 00 00' };

export function App() {
  const [city, setCity] = useState('msk');
  const [count, setCount] = useState(0);
  const [open, setOpen] = useState(false);
  const [list, setList] = useState([1, 2]);
  const [name, setName] = useState('');
  const phone = PHONES[city];
  return (
    <main>
      <a href={'tel:' + phone} title={phone}>{phone}</a>
      <p>Звоните {phone} с {9} до {21}, {city}</p>
      <p>По частям: {'+7'} {'495'} <b>{'000-'}{'00-00'}</b></p>
      <p dangerouslySetInnerHTML={{ __html: 'Разметкой: <i>8 495</i> 000-00-00' }} />
      <button id="count" onClick={() => setCount(count + 1)}>Нажато: {count}</button>
      <button id="city" onClick={() => setCity(city == 'msk' ? 'all' : 'msk')}>Город</button>
      <button id="open" onClick={() => setOpen(!open)}>Открыть</button>
      <button id="more" onClick={() => setList([...list, list.length + 1])}>Ещё</button>
      <button id="turn" onClick={() => setList([...list].reverse())}>Наоборот</button>
      <label>Имя <input id="name" value={name} onChange={(event) => setName(event.target.value)} /></label>
      <p>Здравствуйте, {name || 'гость'}!</p>
      {open ? <p>Открыто: <span>{phone}</span></p> : 'Закрыто'}
      <ul>{list.map((item) => <li key={item}>{item}. {phone}</li>)}</ul>
    </main>
  );
}
