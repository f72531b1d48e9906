import type { RawDb } from '@kilotoken/platform';
import type { ChainBreak, ChainProof } from './chain.js';
import { checkLinks, findNextHead, genesis, type ChainHead, type ChainPlace } from './chain.store.js';

const linksPerStatement = 5_000;
const breaksMax = 100;
const beforeAll = '00000000-0000-0000-0000-000000000000';

/**
 * Computes every chain again, up to the head that it has when its turn comes: rows are only added, so what is added meanwhile needs
 * no long snapshot to be left out. Memory and statements are bounded however long a chain is.
 */
export const verifyChains = async (db: RawDb): Promise<ChainProof> => {
  const breaks: ChainBreak[] = [];
  let [organizations, links] = [0, 0n];
  for (let head = await findNextHead(db, beforeAll); head; head = await findNextHead(db, head.organizationId)) {
    const checked = await verifyChain(db, head);
    organizations += 1;
    links += checked.links;
    if (checked.broken) breaks.push(checked.broken);
    if (breaks.length >= breaksMax) break;
  }
  return { organizations, links, breaks };
};

const verifyChain = async (db: RawDb, head: ChainHead): Promise<{ links: bigint; broken: ChainBreak | null }> => {
  const upTo = head.last > head.position ? head.last : head.position;
  let links = 0n;
  let at: ChainPlace = genesis;
  while (at.position < upTo) {
    const checked = await checkLinks(db, head.organizationId, at, upTo, linksPerStatement);
    links += checked.links;
    if (checked.broken) return { links, broken: checked.broken };
    // Fewer than the head says, and none behind them: the end of the chain was deleted.
    if (!checked.end) return { links, broken: withoutTransaction(head, at.position + 1n, 'missing') };
    at = checked.end;
  }
  const ends = at.position === head.position && at.hash === head.hash;
  return { links, broken: ends ? null : withoutTransaction(head, at.position, 'head') };
};

const withoutTransaction = ({ organizationId }: ChainHead, position: bigint, problem: ChainBreak['problem']): ChainBreak => ({
  organizationId,
  position,
  transactionId: null,
  kind: null,
  problem,
});
