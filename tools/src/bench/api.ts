import { compareApi } from './api-comparison.js';
import { startApiFixture } from './api-fixture.js';
import { readApiBenchOptions } from './api-options.js';
import { runMeasurement } from './run.js';

/**
 * npm run bench:api: what GraphQL, authorization and limits cost: the api in production mode against hand-written Fastify and pg routes with the same session look-up,
 * row-level security and answers, over a large database. It prints ratios, and no time makes it fail.
 */
export const runBench = async (args: string[]): Promise<void> => {
  const options = readApiBenchOptions(args);
  await runMeasurement(options.json, async (run) => {
    const startedMs = performance.now();
    const fixture = await startApiFixture(options, run);
    run.say(`stored in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
    return { rows: options.rows, organizations: options.organizations, ...(await compareApi(fixture, options, run)) };
  });
};
