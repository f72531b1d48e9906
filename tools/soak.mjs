// npm run soak: injects one fault after the other into the real processes under load, for ten minutes by default.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './prepare.mjs';

const usage = `Usage: npm run soak -- [--minutes N] [--seed N]

  --minutes N   how long to inject faults, at least one every five seconds (default: 10)
  --seed N      plans the faults; the same seed plans the same ones (default: a new seed, printed)

The soak kills, freezes, cuts and slows down gateways, metering, Postgres, vendors and wires under load. It checks every
invariant after each fault, and the books and all three logs at the end. Exit code 0: every check held.
`;
const SEEDS = 2 ** 32;
/** tools/test.mjs ends a round of tests that takes much longer. */
const MINUTES_MAX = 20;

const refuse = (problem) => {
  process.stderr.write(`${problem}\n\n${usage}`);
  process.exit(2);
};
const wholeNumber = (name, text, max) => {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) refuse(`--${name}: must be a whole number up to ${max}.`);
  return Number(text);
};

let options;
try {
  ({ values: options } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, help: { type: 'boolean', default: false } } }));
} catch (error) {
  refuse(error.message);
}
if (options.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const minutes = wholeNumber('minutes', options.minutes, MINUTES_MAX);
if (minutes === 0) refuse('--minutes: must be at least 1.');
const seed = options.seed === undefined ? randomInt(SEEDS) : wholeNumber('seed', options.seed, SEEDS - 1);
process.stdout.write(`Soaking for ${minutes} minutes. Repeat with: npm run soak -- --minutes ${minutes} --seed ${seed}\n`);

const child = spawn(process.execPath, [join(ROOT, 'tools/test.mjs'), 'test/faults/soak.spec.ts'], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, SOAK_MS: String(minutes * 60_000), SOAK_SEED: String(seed) },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('close', (code) => process.exit(code ?? 1));
