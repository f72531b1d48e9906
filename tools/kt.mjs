// npm run kt -- …: the command line of the control plane. Like every npm script it first installs and builds what is missing,
// unless no source has changed since any of them last did: most of a command's time would be spent looking.
// Standard output is the command's alone; npm itself prints a banner there, which `npm run -s kt -- … --json` leaves out.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { explainProblem, isPrepared, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

/** A build that changes nothing is over before anybody wonders what is going on. */
const QUIET_MS = 4_000;
const PROGRAM = './dist/kt/main.js';

if (!isPrepared() || !existsSync(new URL(PROGRAM, import.meta.url))) await prepare(createTerminal(process.stderr));
// Node 22 and newer keep compiled code from one run to the next.
module.enableCompileCache?.(join(ROOT, '.nx/compile-cache'));
const { main } = await import(PROGRAM);
process.exitCode = await main(process.env.INIT_CWD ?? process.cwd());

async function prepare(terminal) {
  try {
    await prepareWorkspace(quietAtFirst(terminal));
  } catch (error) {
    terminal.problem(explainProblem(error));
    process.exit(1);
  }
}

/** The same terminal, whose steps appear only once they have taken a while, and only where a person waits for them. */
function quietAtFirst(terminal) {
  return {
    ...terminal,
    step(name, text) {
      let shown = null;
      const timer = process.stderr.isTTY ? setTimeout(() => (shown = terminal.step(name, text)), QUIET_MS) : undefined;
      const settle = (end) => (detail) => {
        clearTimeout(timer);
        end(detail);
      };
      return { update: (detail) => shown?.update(detail), done: settle((detail) => shown?.done(detail)), fail: settle((detail) => shown?.fail(detail)) };
    },
  };
}
