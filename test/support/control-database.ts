import { createPool } from '@kilotoken/platform';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { createTestDatabase } from './postgres.js';
import { testActor } from './test-actor.js';

/** A database of the test's own, with the control plane's client and the applications' login. */
export interface ControlDatabase {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly prisma: ControlClient;
  readonly app: pg.Pool;
  drop(): Promise<void>;
}

export const createControlDatabase = async (): Promise<ControlDatabase> => {
  const database = await createTestDatabase();
  const { ownerUrl, appUrl } = database;
  const prisma = createControlClient(ownerUrl, testActor, { applicationName: 'test' });
  const app = createPool({ connectionString: appUrl, max: 2, applicationName: 'test' });
  return {
    ownerUrl, appUrl, prisma, app,
    drop: async () => {
      await prisma.$disconnect();
      await app.end();
      await database.drop();
    },
  };
};
