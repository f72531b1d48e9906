import type { Reading } from '../operation/reading.js';
import { findPeople, findTokenNames } from './people.store.js';
import type { ActorInfo } from './person.type.js';

/** An actor with the name that the reader may know: of people and tokens of organizations that it sees. */
export const toActor = async (reading: Reading, { kind, id }: { readonly kind: string; readonly id: string }): Promise<ActorInfo> => {
  if (kind === 'person') return { kind, id, name: (await reading.load('person', null, id, findPeople))?.personName ?? null };
  if (kind === 'token') return { kind, id, name: await reading.load('token name', null, id, findTokenNames) };
  return { kind, id, name: null };
};
