// npm run kt -- …: the command line of the control plane. Like every npm script it first installs and builds what is missing,
// unless no source has changed since it last did: a command is over in a second, and most of it would be spent looking.
// Standard output is the command's alone; npm itself prints a banner there, which `npm run -s kt -- … --json` leaves out.
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainProblem, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

/** A build that changes nothing is over before anybody wonders what is going on. */
const QUIET_MS = 4_000;
const PROGRAM = './dist/kt/main.js';
/** Its time is when the last preparation began that ended well. */
const STAMP = join(ROOT, '.nx/kt.prepared');

if (!isPrepared()) await prepare(createTerminal(process.stderr));
const { main } = await import(PROGRAM);
process.exitCode = await main(process.env.INIT_CWD ?? process.cwd());

function isPrepared() {
  if (!existsSync(STAMP) || !existsSync(new URL(PROGRAM, import.meta.url))) return false;
  const preparedMs = statSync(STAMP).mtimeMs;
  const isOlder = (path) => statSync(path).mtimeMs < preparedMs;
  const areOlder = (folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/[\\/](dist|generated|node_modules)([\\/]|$)/.test(entry.parentPath))
      .every((entry) => isOlder(join(entry.parentPath, entry.name)));
  return ['package-lock.json', 'nx.json', '.swcrc'].every((name) => isOlder(join(ROOT, name))) && ['libs', 'tools', 'prisma'].every((name) => areOlder(join(ROOT, name)));
}

async function prepare(terminal) {
  const startedAt = new Date();
  try {
    await prepareWorkspace(quietAtFirst(terminal));
  } catch (error) {
    terminal.problem(explainProblem(error));
    process.exit(1);
  }
  writeFileSync(STAMP, '');
  utimesSync(STAMP, startedAt, startedAt);
}

/** The same terminal, whose steps appear only once they have taken a while. */
function quietAtFirst(terminal) {
  return {
    ...terminal,
    step(name, text) {
      let shown = null;
      const timer = setTimeout(() => (shown = terminal.step(name, text)), QUIET_MS);
      const settle = (end) => (detail) => {
        clearTimeout(timer);
        end(detail);
      };
      return { update: (detail) => shown?.update(detail), done: settle((detail) => shown?.done(detail)), fail: settle((detail) => shown?.fail(detail)) };
    },
  };
}
