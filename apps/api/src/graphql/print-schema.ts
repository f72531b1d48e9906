import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { buildSchema, schemaText } from './schema.js';

/** Writes apps/api/schema.graphql. Run it with `npm run schema` after a type or resolver has changed. */
writeFileSync(new URL('../../schema.graphql', import.meta.url), schemaText(await buildSchema()));
