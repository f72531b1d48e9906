// npm run demo: fills an empty database with a history, so that the console has something to show. Prepares this checkout and hands over to
// tools/src/demo/main.ts in the same process.
import { endWithNpm } from './interruption.mjs';
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const HELP = `
Usage: npm run demo [-- options]

Loads 90 days of history of 40 organizations into an empty database, in about a minute: packages, promotions, refunds,
limits, a vendor's outage, and more than 100,000 requests of 8 models with their charges, ledger and rollups. Then run
npm start. The requests have the sizes of public traces (tools/demo-traces/README.md). The code of production computes
everything, on a clock that the load shifts through the past.

  --fresh              sets the database that is there aside and loads into a new one (embedded Postgres only)
  --seed N             another history: the same seed makes the same one again for the same hour of its end   (2026)
  --days N             how many days, up to 120                                          (90)
  --organizations N    how many organizations, up to 40                                  (40)
  --requests N         about how many requests                                           (108000)
  --help               this text

It runs before npm start, on the same folder: settings are those of npm start (npm start -- --help), such as KILOTOKEN_HOME and
DATABASE_URL. A database that DATABASE_URL names has to be marked as a demo by its owner first:
UPDATE database_mark SET kind = 'demo'. Afterwards KILOTOKEN_DEMO=1 npm start makes its sign-ins.
`;

const words = process.argv.slice(2);
if (words.some((word) => ['--help', '-h', 'help'].includes(word))) {
  process.stdout.write(HELP);
  process.exit(0);
}
endWithNpm();
const terminal = createTerminal();
terminal.line(`\n${terminal.bold('Kilotoken demo')}\n`);
try {
  await prepareWorkspace(terminal);
} catch (error) {
  process.stderr.write(`\n${explainProblem(error)}\n`);
  process.exit(1);
}
const { loadDemo } = await import('./dist/demo/main.js');
await loadDemo(terminal, words);
