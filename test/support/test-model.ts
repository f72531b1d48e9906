import { fileURLToPath } from 'node:url';
import { resolveModel } from '@kilotoken/tools/model';

/** One download serves all test runs of a checkout. */
const home = fileURLToPath(new URL('../../.kilotoken/test-models', import.meta.url));

/** The file of the real model, or null on a machine that can get it from nowhere: tests of it are skipped there, and counted. */
export const findTestModel = async (): Promise<string | null> => (await resolveModel({ home }))?.path ?? null;
