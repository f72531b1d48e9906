import { hash, verify, type Algorithm } from '@node-rs/argon2';

/** Argon2id at OWASP's first choice of costs (Password Storage Cheat Sheet): 19 MiB, two passes. It runs in Node's thread pool. */
const costs = { algorithm: 2 as Algorithm, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const hashPassword = (password: string): Promise<string> => hash(password, costs);

export const isPassword = (stored: string, password: string): Promise<boolean> => verify(stored, password);
