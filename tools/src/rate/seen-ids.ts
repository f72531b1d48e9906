import { createHash } from 'node:crypto';

/**
 * The ids that were seen, in 16 bytes each: half of their SHA-256, whose collision is as likely as none. A Set of strings would take
 * ten times as much for a million.
 */
export class SeenIds {
  private places = new BigUint64Array(2 * 1024);
  private count = 0;

  /** Whether the id is new. */
  add(id: string): boolean {
    if ((this.count + 1) * 4 > this.places.length) this.grow();
    const digest = createHash('sha256').update(id).digest();
    // Zero marks a free place.
    return this.insert(digest.readBigUInt64LE(0) | 1n, digest.readBigUInt64LE(8));
  }

  private insert(first: bigint, second: bigint): boolean {
    const slots = this.places.length / 2;
    for (let slot = Number(second % BigInt(slots)); ; slot = (slot + 1) % slots) {
      const [left, right] = [this.places[slot * 2]!, this.places[slot * 2 + 1]!];
      if (left === first && right === second) return false;
      if (left !== 0n) continue;
      this.places[slot * 2] = first;
      this.places[slot * 2 + 1] = second;
      this.count += 1;
      return true;
    }
  }

  private grow(): void {
    const before = this.places;
    this.places = new BigUint64Array(before.length * 2);
    this.count = 0;
    for (let at = 0; at < before.length; at += 2) if (before[at] !== 0n) this.insert(before[at]!, before[at + 1]!);
  }
}
