import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { groupRoles } from './guard-checks.js';
import { guardsFile, listGuards } from './guard.store.js';

let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

it('prisma/guards.txt is what a migrated database has; npm run guards makes it', async () => {
  expect(await listGuards(money.owner)).toEqual((await readFile(guardsFile, 'utf8')).trimEnd().split('\n').slice(1));
});

it('every group of rights is guarded', async () => {
  const roles = await money.sql<{ name: string }>("SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'kilotoken\\_%' AND NOT rolcanlogin AND rolname NOT LIKE '%\\_test%'");
  expect(roles.map(({ name }) => name).filter((name) => !(groupRoles as readonly string[]).includes(name))).toEqual([]);
});
