import { mkdirSync, writeFileSync } from 'node:fs';
import { publishedSchemas } from './rate/published-schemas.js';

/** Writes docs/schemas. Run it with `npm run schemas` after a file format of pricing has changed. */
const folder = new URL('../../docs/schemas/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [name, text] of publishedSchemas()) writeFileSync(new URL(name, folder), text);
