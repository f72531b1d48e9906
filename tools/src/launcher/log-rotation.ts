import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Bounds the output of children. They write to the files themselves, so that neither needs the other to live. A full file
 * is therefore copied and emptied, not renamed: children append, so they continue at its new start. Lines written between
 * the two steps are lost; the apps' own logs rotate by themselves and lose nothing.
 */

const FILE_BYTES_MAX = 10 * 1024 * 1024;
const LOOK_MS = 15_000;

export function startLogRotation(folder: string): () => void {
  const timer = setInterval(() => rotateFullFiles(folder), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

export function rotateFullFiles(folder: string, bytesMax = FILE_BYTES_MAX): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.out') && name !== 'postgres.log') continue;
    const file = join(folder, name);
    if (statSync(file).size <= bytesMax) continue;
    try {
      copyFileSync(file, `${file}.1`);
    } catch {
      // Without room for a copy the file is emptied anyway, because its size must be bounded.
    }
    truncateSync(file);
  }
}
