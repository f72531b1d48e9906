import { z } from 'zod';

/** What a run of the tests may change from outside; `npm test` leaves everything as it is here. */
const settings = z
  .object({
    /** How long load is sustained where a test says so. */
    KILOTOKEN_TEST_SUSTAINED_MS: z.coerce.number().int().min(1_000).max(600_000).default(60_000),
    /** One schedule of the interleavings, as a failure names it, instead of all. */
    INTERLEAVING_SEED: z.coerce.number().int().min(0).max(2 ** 32 - 1).optional(),
    /** How long the soak runs; `npm run soak` sets ten minutes. */
    SOAK_MS: z.coerce.number().int().min(20_000).max(20 * 60_000).default(60_000),
    /** What it breaks, and when. */
    SOAK_SEED: z.coerce.number().int().min(0).max(2 ** 32 - 1).default(1),
  })
  .parse(process.env);

export const sustainedLoadMs = settings.KILOTOKEN_TEST_SUSTAINED_MS;
export const interleavingSeed = settings.INTERLEAVING_SEED;
export const soakMs = settings.SOAK_MS;
export const soakSeed = settings.SOAK_SEED;
