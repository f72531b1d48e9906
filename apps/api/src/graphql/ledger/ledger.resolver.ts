import { Args, Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { listAccounts, listBalances } from '@kilotoken/ledger';
import { formatMoney } from '@kilotoken/money';
import { throughPg } from '@kilotoken/platform';
import { Operation } from '../operation/operation.js';
import { loadOrganizationOf } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { findTransactions, listPostings, listTransactions, toTransaction } from './ledger.store.js';
import { LedgerAccount, LedgerPosting, LedgerTransaction, LedgerTransactionConnection } from './ledger.type.js';

export const loadTransaction = async (operation: Operation, organizationId: string, id: string): Promise<LedgerTransaction | null> => {
  const row = await operation.findReadingOf(organizationId, 'balances.read', 'staff.money.read')?.load('ledger transaction', null, { organizationId, id }, findTransactions);
  return row ? toTransaction(row) : null;
};

@Resolver(() => Organization)
export class OrganizationLedgerResolver {
  @ResolveField(() => LedgerTransactionConnection, { description: 'Its chain in the ledger, the last transaction first.' })
  async ledger(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args() args: PageArgs): Promise<Connection<LedgerTransaction>> {
    const reading = operation.readingOf(organizationId, 'balances.read', 'staff.money.read');
    const page = readPage(args, ['count']);
    const rows = await reading.load('ledger', page, organizationId, (db, ids) => listTransactions(db, ids, page));
    return connectionOf(rows, page, ({ position }) => [String(position)], toTransaction);
  }
}

@Resolver(() => LedgerTransaction)
export class LedgerTransactionResolver {
  @ResolveField(() => [LedgerPosting], { description: 'Its lines.' })
  postings(@Context('operation') operation: Operation, @Parent() { organizationId, transactionId }: LedgerTransaction): Promise<LedgerPosting[]> {
    return operation.readingOf(organizationId, 'balances.read', 'staff.money.read').load('ledger postings', null, { organizationId, id: transactionId }, listPostings);
  }

  @ResolveField(() => Organization, { description: 'The organization whose money it is.' })
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: LedgerTransaction): Promise<Organization> {
    return loadOrganizationOf(operation, organizationId);
  }
}

@Resolver(() => LedgerAccount)
export class LedgerAccountResolver {
  @Query(() => [LedgerAccount], { description: 'The chart of accounts, with balances over all organizations. Of the staff.' })
  async ledgerAccounts(@Context('operation') operation: Operation): Promise<LedgerAccount[]> {
    const reading = operation.staffReadingFor('staff.money.read');
    const accounts = await reading.run((db) => listAccounts(throughPg(db)));
    const balances = await reading.run((db) => listBalances(throughPg(db), null));
    return accounts.map(({ name, kind, meaning }) => ({
      name, kind, meaning, balances: balances.flatMap(({ account, unit, balance }) => (account === name ? [{ unit, amount: formatMoney(balance) }] : [])),
    }));
  }
}
