// npm test: all tests that need only Node. Works on a fresh clone and beside a running installation, because it uses its own
// Postgres and free ports. Arguments go to Jest (npm test -- libs/money, npm test -- -t 'a test').
//
// Two rounds: tests that share nothing run in parallel; tests that start and kill processes run alone.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { explainProblem, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const PROCESS_TESTS = '/test/(e2e|concurrency|faults|console)/';
const NEVER_TESTS = ['/node_modules/', '/dist/', '/\\.kilotoken/'];
const WORKERS = 2;
/** A round that hangs is stopped after this time. */
const ROUND_MS_MAX = 40 * 60_000;

/** Counts skipped tests as failures, for machines that should have everything installed (`.ci/run`). */
const FAIL_ON_SKIP = '--fail-on-skip';
/** These tests need the repository's history. A shallow clone lacks it, so their being skipped is reported and does not fail. */
const NEED_HISTORY = ['test/faults/previous-release.spec.ts', 'test/faults/previous-backoffice.spec.ts', 'libs/platform/src/migrate/definitions.db.spec.ts'];
const jestArguments = process.argv.slice(2).filter((argument) => argument !== FAIL_ON_SKIP);
const failOnSkip = process.argv.includes(FAIL_ON_SKIP);

const rounds = [
  ['--maxWorkers', String(WORKERS), '--testPathIgnorePatterns', ...NEVER_TESTS, PROCESS_TESTS],
  ['--runInBand', '--testMatch', '**/test/{e2e,concurrency,faults,console}/**/*.spec.ts'],
];

const terminal = createTerminal();
try {
  await prepareWorkspace(terminal);
} catch (error) {
  terminal.problem(explainProblem(error));
  process.exit(1);
}
// When interrupted, Jest first stops the processes of its tests; this script waits for it.
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
    // --forceExit, because Node sometimes spun for ever in the cleanup of its handles after Jest had finished.
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
    // Jest itself failed and has printed the reason.
    return { code: code || 1, testResults: [], numPassedTests: 0, numFailedTests: 0, numRuntimeErrorTestSuites: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints the totals and the names of skipped and failed tests; returns the exit code. */
function report(rounds) {
  const sum = (field) => rounds.reduce((total, round) => total + (round[field] ?? 0), 0);
  const suites = rounds.flatMap(({ testResults }) => testResults);
  const testsOf = (...statuses) =>
    suites.flatMap((suite) =>
      suite.assertionResults.filter(({ status }) => statuses.includes(status)).map(({ fullName }) => ({ file: relative(ROOT, suite.name), fullName })),
    );
  const skipped = testsOf('pending', 'todo');
  const broken = suites
    .filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'))
    .map(({ name }) => ({ file: relative(ROOT, name), fullName: 'the file could not run' }));
  // Named once more at the end: their reports stand far above in a long output.
  for (const { file, fullName } of [...testsOf('failed'), ...broken]) process.stdout.write(`\nFailed: ${file}: ${fullName}`);
  if (sum('numFailedTests') + broken.length > 0) process.stdout.write('\n');
  const passed = sum('numPassedTests');
  // A test file that could not run counts as a failure.
  let failed = sum('numFailedTests') + sum('numRuntimeErrorTestSuites');
  if (failed === 0 && rounds.some(({ code }) => code !== 0)) failed = 1;
  if (passed + failed + skipped.length === 0) {
    process.stdout.write(`\nNo test matches ${jestArguments.join(' ')}.\n`);
    failed = 1;
  }
  if (skipped.length > 0) {
    process.stdout.write(`\nSkipped, because this machine lacks what they need (see test/support/requirements.ts${failOnSkip ? '; counted as failed' : ''}):\n`);
    for (const { file, fullName } of skipped) process.stdout.write(`  ${file}: ${fullName}\n`);
  }
  if (failOnSkip) failed += skipped.filter(({ file }) => !NEED_HISTORY.includes(file)).length;
  const counted = [`${passed} passed`, `${failed} failed`, ...(skipped.length > 0 && !failOnSkip ? [`${skipped.length} skipped`] : [])];
  process.stdout.write(`\n${counted.join(', ')}\n`);
  return failed === 0 ? 0 : 1;
}
