import { readFile, stat } from 'node:fs/promises';
import { AppError, changeAs, mintId, type RawDb, readDatabaseNow } from '@kilotoken/platform';
import type { ControlClient, PrismaDb } from '@kilotoken/platform/prisma';
import { ensurePriceBook, findLatestEffectiveAt, insertPriceVersion, readPriceBooks, soonestEffectiveAt } from '@kilotoken/pricing';
import { lanesFileBytesMax, parseLanesFile } from './lanes-file.js';
import type { LaneOffer } from './lane.js';
import { listPriceBook, type Listing, type ListingOrigin } from './listing.js';
import { planListings, type ListingStep } from './listing-plan.js';
import { insertLane, insertModel, lockCatalogue, readKnown, readOrigins, retireLane, retireModel, updateLane, updateModel } from './listing.store.js';
import { findKeyProblems, type LaneKeyProblem } from './vendor-key.js';

/** A step with the moment from which it holds; what is no price holds everywhere within a second of its commit. */
export type DatedStep = ListingStep & { readonly effectiveAt: Date };

/**
 * Makes the catalogue agree with the listings of this origin, in one transaction. What agrees already is not written, so
 * applying the same listings again leaves the configuration's version as it is. Answers the steps that were taken.
 */
export const applyListings = (client: ControlClient, origin: ListingOrigin, listings: readonly Listing[]): Promise<DatedStep[]> =>
  changeAs(client, null, async (db) => {
    await lockCatalogue(db);
    const priceBookId = await ensurePriceBook(db, listPriceBook);
    const known = await readKnown(db, priceBookId, origin, listings.map(({ modelId }) => modelId));
    const now = await readDatabaseNow(db);
    const steps = await dateSteps(db, priceBookId, now, planListings(origin, listings, known));
    for (const step of steps) await takeStep(db, { origin, priceBookId, now }, step);
    return steps;
  });

/** Returns the changes that `applyListings` would make now. It writes and locks nothing. */
const planSteps = async (db: PrismaDb, origin: ListingOrigin, listings: readonly Listing[]): Promise<DatedStep[]> => {
  const priceBookId = (await readPriceBooks(db)).find(({ name }) => name === listPriceBook)?.id ?? noPriceBookId;
  const known = await readKnown(db, priceBookId, origin, listings.map(({ modelId }) => modelId));
  return dateSteps(db, priceBookId, await readDatabaseNow(db), planListings(origin, listings, known));
};

const noPriceBookId = '00000000-0000-0000-0000-000000000000';

const dateSteps = async (db: PrismaDb, priceBookId: string, now: Date, steps: readonly ListingStep[]): Promise<DatedStep[]> => {
  const dated: DatedStep[] = [];
  for (const step of steps) dated.push({ ...step, effectiveAt: step.kind === 'price_published' ? await findEffectiveAt(db, priceBookId, now, step.modelId) : now });
  return dated;
};

/** A model's first price takes effect at once: a gateway that does not know it yet does not know the model either. */
const findEffectiveAt = async (db: PrismaDb, priceBookId: string, now: Date, modelId: string): Promise<Date> =>
  soonestEffectiveAt(now, await findLatestEffectiveAt(db, priceBookId, modelId));

/** Makes the price book that organizations have unless they are given another; there before anything is listed. */
export const ensureListPriceBook = async (client: ControlClient): Promise<void> => {
  await changeAs(client, null, async (db) => {
    await lockCatalogue(db);
    await ensurePriceBook(db, listPriceBook);
  });
};

/** Those of the models that are not for sale, in their order. */
export const findMissingModels = async (db: RawDb, modelIds: readonly string[]): Promise<string[]> => {
  const known = await readOrigins(db);
  return modelIds.filter((id) => !known.has(id));
};

/** The models that are for sale, each with whose listing it is. */
export const readListedModels = (db: RawDb): Promise<ReadonlyMap<string, ListingOrigin>> => readOrigins(db);

/** The models that a lanes file lists. Throws as `applyLanesFile` does. */
export const readModelIdsOfFile = async (path: string): Promise<string[]> => parseLanesFile(await readLanesFile(path)).map(({ modelId }) => modelId);

/** In the order of their names. */
export const listPriceBooks = (db: RawDb): Promise<{ id: string; name: string }[]> => readPriceBooks(db);

/** Reads the file and applies it. Throws an AppError `lanes_file_unreadable`, `lanes_file_invalid` or `model_listed_elsewhere`. */
export const applyLanesFile = async (client: ControlClient, path: string): Promise<DatedStep[]> =>
  applyListings(client, 'file', parseLanesFile(await readLanesFile(path)));

/** Lanes of a file whose vendor's key, as `read` finds it, cannot be sent. Throws as `applyLanesFile` does. */
export const findKeyProblemsInFile = async (path: string, read: (variable: string) => string | undefined): Promise<LaneKeyProblem<LaneOffer>[]> =>
  findKeyProblems(parseLanesFile(await readLanesFile(path)).flatMap(({ lanes }) => lanes), read);

/** Returns the steps that `applyLanesFile` would take now, in its order, and takes none. Throws as it does. */
export const planLanesFile = async (db: PrismaDb, path: string): Promise<DatedStep[]> => planSteps(db, 'file', parseLanesFile(await readLanesFile(path)));

const readLanesFile = async (path: string): Promise<string> => {
  try {
    const file = await stat(path);
    if (!file.isFile()) throw new Error('it is not a file');
    if (file.size > lanesFileBytesMax) throw new Error(`it has ${file.size} bytes, more than the allowed ${lanesFileBytesMax}`);
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

const takeStep = async (db: PrismaDb, { origin, priceBookId, now }: Applying, step: DatedStep): Promise<void> => {
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
    case 'price_published':
      return insertPriceVersion(db, { id: mintId(now.getTime()), priceBookId, modelId: step.modelId, effectiveAt: step.effectiveAt, sale: step.sale });
  }
};
