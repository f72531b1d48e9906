// npm test: everything that needs only Node, on a fresh clone as well as beside a running installation: it has its own
// Postgres and free ports. Arguments go to Jest (npm test -- libs/money, npm test -- -t 'a test').
//
// Two rounds: what shares nothing runs side by side, what starts processes and kills them runs alone.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { explainProblem, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const PROCESS_TESTS = '/test/(e2e|concurrency|faults)/';
const NEVER_TESTS = ['/node_modules/', '/dist/', '/\\.kilotoken/'];
const WORKERS = 2;
/** A round that hangs must end, and say so. */
const ROUND_MS_MAX = 40 * 60_000;

/** A proof that was skipped is a failure where everything it needs is supposed to be installed (`.ci/run`). */
const FAIL_ON_SKIP = '--fail-on-skip';
/** What these need is the repository's history, which no package brings: skipped in a shallow clone, and only named. */
const NEED_HISTORY = ['test/faults/previous-release.spec.ts'];
const jestArguments = process.argv.slice(2).filter((argument) => argument !== FAIL_ON_SKIP);
const failOnSkip = process.argv.includes(FAIL_ON_SKIP);

const rounds = [
  ['--maxWorkers', String(WORKERS), '--testPathIgnorePatterns', ...NEVER_TESTS, PROCESS_TESTS],
  ['--runInBand', '--testMatch', '**/test/{e2e,concurrency,faults}/**/*.spec.ts'],
];

const terminal = createTerminal();
try {
  await prepareWorkspace(terminal);
} catch (error) {
  terminal.problem(explainProblem(error));
  process.exit(1);
}
// Jest removes what its tests started before it ends; whoever interrupts the run waits for that.
let interrupted = false;
let jest = null;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    jest?.kill(signal);
  });
}
const results = [];
for (const round of rounds) if (!interrupted) results.push(await runJest([...jestArguments, ...round]));
if (interrupted) process.stdout.write('\nInterrupted.\n');
process.exit(interrupted ? 130 : report(results));

async function runJest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-results-'));
  const outputFile = join(folder, 'results.json');
  const nodeOptions = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim();
  const child = spawn(
    process.execPath,
    // Node that ends by itself was seen to spin for ever in the cleanup of its handles, long after Jest's last word.
    [join(ROOT, 'node_modules/jest/bin/jest.js'), ...args, '--passWithNoTests', '--forceExit', '--json', '--outputFile', outputFile],
    // Jest's report for people goes to stderr; its stdout repeats the JSON.
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_OPTIONS: nodeOptions } },
  );
  const timer = setTimeout(() => {
    process.stderr.write(`\nThis round did not end within ${ROUND_MS_MAX / 60_000} minutes and was stopped.\n`);
    child.kill('SIGTERM');
  }, ROUND_MS_MAX);
  jest = child;
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  try {
    return { code, ...JSON.parse(readFileSync(outputFile, 'utf8')) };
  } catch {
    // Jest itself failed, and has said why.
    return { code: code || 1, testResults: [], numPassedTests: 0, numFailedTests: 0, numRuntimeErrorTestSuites: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints the totals and what was skipped by name; the exit code. */
function report(rounds) {
  const sum = (field) => rounds.reduce((total, round) => total + (round[field] ?? 0), 0);
  const skipped = rounds.flatMap(({ testResults }) =>
    testResults.flatMap((suite) =>
      suite.assertionResults
        .filter(({ status }) => status === 'pending' || status === 'todo')
        .map(({ fullName }) => ({ file: relative(ROOT, suite.name), fullName })),
    ),
  );
  const passed = sum('numPassedTests');
  // A file that could not run is a failure too: nobody knows what it would have proven.
  let failed = sum('numFailedTests') + sum('numRuntimeErrorTestSuites');
  if (failed === 0 && rounds.some(({ code }) => code !== 0)) failed = 1;
  if (passed + failed + skipped.length === 0) {
    process.stdout.write(`\nNo test matches ${jestArguments.join(' ')}.\n`);
    failed = 1;
  }
  if (skipped.length > 0) {
    process.stdout.write(`\nSkipped for what this machine lacks (see test/support/requirements.ts${failOnSkip ? '; this counts as failed here' : ''}):\n`);
    for (const { file, fullName } of skipped) process.stdout.write(`  ${file}: ${fullName}\n`);
  }
  if (failOnSkip) failed += skipped.filter(({ file }) => !NEED_HISTORY.includes(file)).length;
  const counted = [`${passed} passed`, `${failed} failed`, ...(skipped.length > 0 && !failOnSkip ? [`${skipped.length} skipped`] : [])];
  process.stdout.write(`\n${counted.join(', ')}\n`);
  return failed === 0 ? 0 : 1;
}
