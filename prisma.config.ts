import { defineConfig } from 'prisma/config';

/** Prisma's tools read the schema and generate the client; migrations are applied by libs/platform (`migrateDatabase`). */
export default defineConfig({ schema: 'prisma', migrations: { path: 'prisma/migrations' } });
