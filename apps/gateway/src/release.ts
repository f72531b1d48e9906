import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** From here, be it the source or what was built of it, to the one place that says which release this is. */
const packageFile = new URL('../../../package.json', import.meta.url);
const packageSchema = z.object({ version: z.string().min(1) });

/** The gateway's release in its session's row: during an upgrade gateways of two releases run. */
export const readRelease = (): string => packageSchema.parse(JSON.parse(readFileSync(packageFile, 'utf8'))).version;
