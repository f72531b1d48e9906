import { request } from 'undici';
import { z } from 'zod';
import { heavyBodies, hostileBodies, type WorstBody } from '../worst-bodies.js';
import { reportReady } from './child.js';
import { benchModel } from './exchange.js';

/** The other customer of `npm run bench:bodies`: sends bodies of one kind, a few at once and without pause, for the ordered time. */
const orderSchema = z.object({ origin: z.string(), key: z.string(), kind: z.enum(['keys', 'hostile', 'heavy']), bytes: z.number().int(), atOnce: z.number().int(), seconds: z.number() });
export type SenderOrder = z.input<typeof orderSchema>;

const bodiesOf = (kind: z.infer<typeof orderSchema>['kind'], bytes: number): WorstBody[] => {
  if (kind === 'heavy') return heavyBodies(bytes, benchModel);
  return kind === 'keys' ? hostileBodies(bytes, benchModel).slice(0, 2) : hostileBodies(bytes, benchModel);
};

const send = async (order: unknown): Promise<void> => {
  const { origin, key, kind, bytes, atOnce, seconds } = orderSchema.parse(order);
  const bodies = bodiesOf(kind, bytes);
  const untilMs = performance.now() + seconds * 1_000;
  const statuses = new Map<string, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const { body } = bodies[next++ % bodies.length]!;
      const status = await request(`${origin}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body }).then(
        async (answer) => {
          await answer.body.dump();
          return String(answer.statusCode);
        },
        // The gateway closes the connection when it refuses a body before its end.
        () => 'closed',
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  process.send!({ statuses: Object.fromEntries(statuses) });
};

process.on('message', (order) => void send(order));
reportReady({});
