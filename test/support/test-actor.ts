import type { Actor } from '@kilotoken/platform';

/** In whose name tests write. */
export const testActor: Actor = { kind: 'system', id: 'test', name: null };
