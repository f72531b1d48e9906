import { readFile, stat } from 'node:fs/promises';
import { AppError, mintId, readDatabaseNow } from '@kilotoken/platform';
import type { PrismaClient, PrismaDb } from '@kilotoken/platform/prisma';
import { lanesFileBytesMax, parseLanesFile } from './lanes-file.js';
import type { LaneOffer } from './lane.js';
import { listPriceBook, type Listing, type ListingOrigin } from './listing.js';
import { planListings, type ListingStep } from './listing-plan.js';
import {
  ensurePriceBook,
  findLatestEffectiveAt,
  insertLane,
  insertModel,
  insertPriceVersion,
  lockCatalogue,
  readKnown,
  retireLane,
  retireModel,
  updateLane,
  updateModel,
} from './listing.store.js';
import { findKeyProblems, type LaneKeyProblem } from './vendor-key.js';

/**
 * How old a gateway's copy of the catalogue may be. A price that replaces another one takes effect this much after its
 * publication, so that all gateways change at the same moment. A model's first price takes effect at once: a gateway that
 * does not know it yet does not know the model either.
 */
export const snapshotAgeMsMax = 2_000;

/**
 * Makes the catalogue agree with the listings of this origin, in one transaction. What agrees already is not written, so
 * applying the same listings again leaves the configuration's version as it is. Answers the steps that were taken.
 */
export const applyListings = (prisma: PrismaClient, origin: ListingOrigin, listings: readonly Listing[]): Promise<ListingStep[]> =>
  prisma.$transaction(async (db) => {
    await lockCatalogue(db);
    const priceBookId = await ensurePriceBook(db, listPriceBook);
    const known = await readKnown(db, priceBookId, origin, listings.map(({ modelId }) => modelId));
    const steps = planListings(origin, listings, known);
    const now = await readDatabaseNow(db);
    for (const step of steps) await takeStep(db, { origin, priceBookId, now }, step);
    return steps;
  });

/** Makes the price book that organizations have unless they are given another; there before anything is listed. */
export const ensureListPriceBook = async (prisma: PrismaClient): Promise<void> => {
  await prisma.$transaction(async (db) => {
    await lockCatalogue(db);
    await ensurePriceBook(db, listPriceBook);
  });
};

/** Reads the file and applies it. Throws an AppError `lanes_file_unreadable`, `lanes_file_invalid` or `model_listed_elsewhere`. */
export const applyLanesFile = async (prisma: PrismaClient, path: string): Promise<ListingStep[]> =>
  applyListings(prisma, 'file', parseLanesFile(await readLanesFile(path)));

/** Lanes of a file whose vendor's key, as `read` finds it, cannot be sent. Throws as `applyLanesFile` does. */
export const findKeyProblemsInFile = async (path: string, read: (variable: string) => string | undefined): Promise<LaneKeyProblem<LaneOffer>[]> =>
  findKeyProblems(parseLanesFile(await readLanesFile(path)).flatMap(({ lanes }) => lanes), read);

const readLanesFile = async (path: string): Promise<string> => {
  try {
    const file = await stat(path);
    if (!file.isFile()) throw new Error('it is no file');
    if (file.size > lanesFileBytesMax) throw new Error(`it has ${file.size} bytes, and ${lanesFileBytesMax} is the most that is read`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    const reason = cause instanceof TypeError ? 'it is not UTF-8' : (cause as Error).message;
    throw new AppError({
      code: 'lanes_file_unreadable',
      kind: 'invalid',
      publicMessage: `The lanes file ${path} cannot be read: ${reason}. Nothing was changed.`,
      cause,
    });
  }
};

interface Applying {
  readonly origin: ListingOrigin;
  readonly priceBookId: string;
  readonly now: Date;
}

const takeStep = async (db: PrismaDb, { origin, priceBookId, now }: Applying, step: ListingStep): Promise<void> => {
  switch (step.kind) {
    case 'model_added':
      return insertModel(db, origin, step.listing);
    case 'model_updated':
    case 'model_restored':
      return updateModel(db, origin, step.listing);
    case 'model_retired':
      return retireModel(db, step.modelId, now);
    case 'lane_added':
      return insertLane(db, { id: mintId(now.getTime()), modelId: step.modelId, position: step.position, origin, offer: step.offer });
    case 'lane_updated':
    case 'lane_restored':
      return updateLane(db, step.laneId, { position: step.position, origin, offer: step.offer });
    case 'lane_retired':
      return retireLane(db, step.laneId, now);
    case 'price_published': {
      const latest = await findLatestEffectiveAt(db, priceBookId, step.modelId);
      const effectiveAt = latest ? new Date(Math.max(now.getTime() + snapshotAgeMsMax, latest.getTime() + 1)) : now;
      return insertPriceVersion(db, { id: mintId(now.getTime()), priceBookId, modelId: step.modelId, effectiveAt, sale: step.sale });
    }
  }
};
