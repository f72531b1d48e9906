// npm run bench, npm run bench:engine, npm run bench:rating, npm run bench:rate, npm run bench:bodies, npm run bench:api: prepares this checkout and hands
// over to tools/src/bench/<name>.ts in the same process. The words after the name are the bench's own options (npm run bench -- --quick).
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const benches = ['gateway', 'engine', 'rating', 'rate', 'bodies', 'api'];

const [name, ...options] = process.argv.slice(2);
// Standard output is for results: with --json it must hold only JSON.
const terminal = createTerminal(process.stderr);
if (!benches.includes(name)) {
  process.stderr.write(`Usage: node tools/bench.mjs ${benches.join('|')} [options]\n`);
  process.exit(1);
}
try {
  await prepareWorkspace(terminal);
} catch (error) {
  process.stderr.write(`\n${explainProblem(error)}\n`);
  process.exit(1);
}
const { runBench } = await import(`./dist/bench/${name}.js`);
await runBench(options);
