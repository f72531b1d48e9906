import { readdirSync, readFileSync } from 'node:fs';

/** Processor time and memory of processes, from /proc; null on a system without /proc. */
const microsecondsPerTick = 10_000;
const bytesPerKilobyte = 1_024;

interface Stat {
  readonly parent: number;
  readonly cpuMicroseconds: number;
}

const readStat = (pid: number): Stat | null => {
  try {
    // The command's name is in parentheses and may contain any character, so fields are counted after it. Reaped children
    // count with their parent: a server's backends come and go.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), cpuMicroseconds: ticks * microsecondsPerTick };
  } catch {
    // The process has ended, or the system has no /proc.
    return null;
  }
};

/** The processor time of a process and its children so far. */
export const readCpuMicroseconds = (pid: number): number | null => {
  const own = readStat(pid);
  if (!own) return null;
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const children = others.map((name) => readStat(Number(name))).filter((stat) => stat?.parent === pid);
  return children.reduce((sum, stat) => sum + stat!.cpuMicroseconds, own.cpuMicroseconds);
};

/** Resident memory of one process. */
export const readResidentBytes = (pid: number): number | null => {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kilobytes ? Number(kilobytes) * bytesPerKilobyte : null;
  } catch {
    return null;
  }
};
