import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, rmSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { writeAtomically } from '../atomic-write.js';

/**
 * Whether a file is the one that we name: by size, then by SHA-256. Reading a hundred megabytes takes a good part of a
 * second, so what was verified is written beside the file and believed as long as neither size nor time of change moved.
 */
export interface FileIdentity {
  readonly sizeBytes: number;
  readonly sha256: string;
}

const recordSchema = z.strictObject({ sizeBytes: z.int(), changedMs: z.int(), sha256: z.string() });
type VerificationRecord = z.infer<typeof recordSchema>;

const recordPath = (path: string): string => `${path}.verified.json`;

export const hashFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
};

export type FileState = 'verified' | 'missing' | 'wrong';

export const verifyFile = async (path: string, identity: FileIdentity): Promise<FileState> => {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) return 'missing';
  if (stats.size !== identity.sizeBytes) return 'wrong';
  const current: VerificationRecord = { sizeBytes: stats.size, changedMs: Math.floor(stats.mtimeMs), sha256: identity.sha256 };
  if (isSame(readRecord(path), current)) return 'verified';
  if ((await hashFile(path)) !== identity.sha256) return 'wrong';
  writeAtomically(recordPath(path), JSON.stringify(current), 0o644);
  return 'verified';
};

export const removeWithRecord = (path: string): void => {
  rmSync(recordPath(path), { force: true });
  rmSync(path, { force: true });
};

const readRecord = (path: string): VerificationRecord | null => {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(recordPath(path), 'utf8')));
  } catch {
    // No record, or a broken one: the file itself is read.
    return null;
  }
};

const isSame = (record: VerificationRecord | null, current: VerificationRecord): boolean =>
  record !== null && record.sizeBytes === current.sizeBytes && record.changedMs === current.changedMs && record.sha256 === current.sha256;
