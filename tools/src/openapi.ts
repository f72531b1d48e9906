import { readFileSync, writeFileSync } from 'node:fs';
import { composeOpenApi } from '@kilotoken/openai/openapi';
import { z } from 'zod';

/** Writes docs/openapi.json. Run it with `npm run openapi` after a request's schema, an answer or an error has changed. */
const root = new URL('../../', import.meta.url);
const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')));
writeFileSync(new URL('docs/openapi.json', root), `${JSON.stringify(composeOpenApi(version), null, 2)}\n`);
