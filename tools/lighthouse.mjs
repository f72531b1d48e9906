// npm run lighthouse: measures the signed-in overview of a running installation. Prepares this checkout and hands over to
// tools/src/lighthouse/main.ts in the same process.
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const HELP = `
Usage: npm run lighthouse [-- --runs N]

Measures the overview of the demo's owner with Lighthouse in the forms desktop and mobile, N times each (5), and prints
scores and medians. It needs an installation that npm start runs with the same KILOTOKEN_HOME, best with the history of
npm run demo, and a Chromium: CHROMIUM_PATH, else the PATH. It fails where accessibility on a desktop is below 95.
`;

const words = process.argv.slice(2);
const runs = words.length === 0 ? 5 : words.length === 2 && words[0] === '--runs' ? Number(words[1]) : Number.NaN;
if (!Number.isInteger(runs) || runs < 1 || runs > 100) {
  const isHelp = words.length === 1 && ['--help', '-h', 'help'].includes(words[0]);
  process[isHelp ? 'stdout' : 'stderr'].write(HELP);
  process.exit(isHelp ? 0 : 1);
}
const terminal = createTerminal(process.stderr);
try {
  await prepareWorkspace(terminal);
  const { runLighthouse } = await import('./dist/lighthouse/main.js');
  const { browserPath, consoleHome } = await import('./dist/console-visit.js');
  process.exit((await runLighthouse({ runs, home: consoleHome(process.env), browser: browserPath(process.env) })) ? 0 : 1);
} catch (error) {
  process.stderr.write(`\n${explainProblem(error)}\n`);
  process.exit(1);
}
