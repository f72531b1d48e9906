// Ends the children of an npm script when a signal ends the script. Ctrl-C reaches every process of a terminal, but SIGTERM reaches one, and npm
// passes on SIGINT and SIGTERM only. Plain JavaScript without dependencies.
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** A child that has not ended after this time is killed. */
const END_MS_MAX = 5_000;
const PARENT_POLL_MS = 500;

/**
 * Until `end` is called, a signal is passed on to every child of `track`, `cleanUp` runs, and this process ends as the signal would have ended it.
 * A second signal kills the children.
 */
export function listenForInterruption(cleanUp) {
  const children = new Set();
  let interruptedBy = null;
  const finish = () => {
    cleanUp();
    process.exit(128 + constants.signals[interruptedBy]);
  };
  const onSignal = (signal) => {
    const isFirst = interruptedBy === null;
    interruptedBy ??= signal;
    for (const child of children) child.kill(isFirst ? 'SIGTERM' : 'SIGKILL');
    if (children.size === 0) finish();
    else if (isFirst) setTimeout(() => children.forEach((child) => child.kill('SIGKILL')), END_MS_MAX);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    track(child) {
      children.add(child);
      child.once('close', () => {
        children.delete(child);
        if (interruptedBy !== null && children.size === 0) finish();
      });
    },
    end() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

/**
 * Sends this process SIGHUP when the npm that runs it is gone: npm dies of SIGHUP and SIGKILL without passing anything on. Without npm it does nothing, because
 * a shell that starts the script in the background may end before it.
 */
export function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') return;
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGHUP');
  }, PARENT_POLL_MS);
  timer.unref();
}
