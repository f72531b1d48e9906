import { fastify } from 'fastify';
import type { AddressInfo } from 'node:net';
import { ViewerService } from '@kilotoken/people';
import { createKeyring, createPool, readAs } from '@kilotoken/platform';
import { z } from 'zod';
import { barePages } from './api-bare-pages.js';
import { reportReady } from './child.js';

/**
 * The other side of the comparison: routes that somebody wrote by hand, one for each page. They look up the session as the api does, set up row-level security as it
 * does, and give the same answers; they have no schema, no limits, no log and no metrics.
 */
const settings = z.object({ databaseUrl: z.string(), secretKey: z.string(), publicUrl: z.string() }).parse(JSON.parse(process.argv[2] ?? '{}'));

const connectionsMax = 16;
const keepAliveMs = 600_000;

const pool = createPool({ connectionString: settings.databaseUrl, max: connectionsMax, applicationName: 'bench bare' });
const viewers = new ViewerService(pool, createKeyring([settings.secretKey]), settings.publicUrl);
const face = fastify({ logger: false, keepAliveTimeout: keepAliveMs });

const query = z.object({ first: z.coerce.number().int().min(1).max(100).default(25), after: z.string().nullable().default(null), from: z.string().default(''), until: z.string().default('') });

for (const [path, page] of Object.entries(barePages)) {
  face.get<{ Params: { organization: string; id?: string } }>(`/organizations/:organization/${path}`, async (request, reply) => {
    const { organization, id = '' } = request.params;
    const viewer = (await viewers.resolve({ cookie: request.headers.cookie }))?.viewer;
    const membership = viewer?.memberships.find(({ organizationId }) => organizationId === organization);
    if (membership?.role !== 'owner') return reply.code(404).send({});
    const asked = query.parse(request.query);
    const answer = await readAs(pool, { organizationIds: [organization, ...membership.descendantIds] }, (db) => page(db, { organization, id, ...asked }));
    return reply.send({ organization: answer });
  });
}

await face.listen({ host: '127.0.0.1', port: 0 });
reportReady({ port: (face.server.address() as AddressInfo).port });
