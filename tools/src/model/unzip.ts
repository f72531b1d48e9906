import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { open, type Entry, type ZipFile } from 'yauzl';

/**
 * Writes some entries of a zip file to given paths. No name in the archive becomes part of a path. Rejects if an entry is
 * missing, or if its contents do not match the archive's length and checksum.
 */
export const extractEntries = async (archive: string, destinations: ReadonlyMap<string, string>): Promise<void> => {
  const zip = await openZip(archive);
  const missing = new Set(destinations.keys());
  try {
    for await (const entry of entriesOf(zip)) {
      const destination = destinations.get(entry.fileName);
      if (destination === undefined || !missing.delete(entry.fileName)) continue;
      await pipeline(await openEntry(zip, entry), createWriteStream(destination, { flush: true }));
      if (missing.size === 0) return;
    }
  } finally {
    zip.close();
  }
  throw new Error(`${[...missing].join(', ')} is not in the archive`);
};

const openZip = async (archive: string): Promise<ZipFile> =>
  new Promise((resolve, reject) => open(archive, { lazyEntries: true, autoClose: false }, (error, zip) => (error ? reject(error) : resolve(zip))));

const openEntry = async (zip: ZipFile, entry: Entry): Promise<Readable> =>
  new Promise((resolve, reject) => zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))));

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | null>((resolve, reject) => {
      zip.removeAllListeners();
      zip.once('entry', resolve).once('end', () => resolve(null)).once('error', reject);
      zip.readEntry();
    });
    if (entry === null) return;
    yield entry;
  }
}
