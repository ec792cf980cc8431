// Runs spelling.js for the tests: one JSON line in, one out, until the input ends.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const source = readFileSync(process.argv[2], 'utf8');
const { spellPhone, spellMail, swap, respell, mayBePiece } = await import(
  'data:text/javascript,' + encodeURIComponent(source)
);
const keys = JSON.parse(process.argv[3]);
const spell = (from) => (from[0] == '+' ? spellPhone(from, keys) : spellMail(from));

const answers = {
  swap({ text, from, to, display }) {
    const spelling = spell(from);
    const bodies = [];
    const fresh = swap(text, spelling, (body) => {
      bodies.push(body);
      return respell(body, spelling, to, display);
    });
    return { text: fresh, bodies };
  },
  piece: ({ text, number }) => mayBePiece(text, spellPhone(number, keys)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  process.stdout.write(JSON.stringify(answers[asked.do](asked)) + '\n');
}
