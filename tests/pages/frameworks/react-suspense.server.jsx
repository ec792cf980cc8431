import { Writable } from 'node:stream';
import { renderToPipeableStream } from 'react-dom/server';
import { Reviews, streamed } from './Stream.jsx';
import { shell } from './shell.js';

export async function html() {
  let arrive;
  const Page = streamed(new Promise((done) => { arrive = done; }));
  const chunks = [];
  const sink = new Writable({
    write(chunk, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  const ended = new Promise((done) => sink.on('finish', done));
  const stream = renderToPipeableStream(<Page />, {
    onShellReady() {
      stream.pipe(sink);
      setTimeout(() => arrive(Reviews), 10);
    },
  });
  await ended;
  return shell('react-suspense', `<div id="root">${Buffer.concat(chunks)}</div>`);
}
