import { createWebhookEndpoint, disableWebhookEndpoint, setNotices, WebhookGuard } from '@kilotoken/events';
import { formatMoney, type Money } from '@kilotoken/money';
import { createControlPool, operatorSession, type Actor, type Keyring } from '@kilotoken/platform';
import type { Account } from './accounts.js';
import { demoCustomerSlug } from './customers.js';
import { wholeDollars } from './subsidiaries.js';

export interface AlertSettings {
  readonly controlUrl: string;
  readonly sessionOptions: string;
  readonly actor: Actor;
  readonly keyring: Keyring;
}

/** Resolves no name: the load needs no network, and no endpoint is ever called. The guard wants a public address. */
const guard = new WebhookGuard({ allowPrivate: false, resolve: () => Promise.resolve([{ address: '93.184.215.14', family: 4 }]) });

/**
 * Customers' notices of a low balance and their webhook endpoints. Each endpoint is disabled before the next event is dispatched, so the history makes
 * no delivery; and no customer has an address for mails.
 */
export class DemoAlerts {
  private readonly pool: ReturnType<typeof createControlPool>;

  constructor(private readonly settings: AlertSettings) {
    const { controlUrl, sessionOptions, actor } = settings;
    this.pool = createControlPool(actor, { connectionString: controlUrl, max: 1, applicationName: 'demo alerts', sessionOptions: `${operatorSession} ${sessionOptions}` });
  }

  async set({ organizationId, customer }: Account, perMonth: Money): Promise<void> {
    const isDemo = customer.slug === demoCustomerSlug;
    if (isDemo || customer.funding !== 'tops_up') {
      // Five days of spend: a customer that runs low buys again when four are left.
      await setNotices(this.pool, { organizationId, balanceLow: { unit: 'USD', threshold: formatMoney(wholeDollars(perMonth / 6n)) } });
    }
    if (isDemo || customer.hasBudget) await this.addEndpoint(organizationId, { url: `https://hooks.${customer.slug}.example.com/kilotoken`, description: 'Billing', kinds: null });
    if (isDemo) await this.addEndpoint(organizationId, { url: 'https://alerts.demo.example.com/budgets', description: 'Budgets, to the chat of the platform team', kinds: ['budget.alerted', 'grant.low'] });
  }

  async stop(): Promise<void> {
    await this.pool.end();
  }

  private async addEndpoint(organizationId: string, endpoint: { readonly url: string; readonly description: string; readonly kinds: string[] | null }): Promise<void> {
    const { id } = await createWebhookEndpoint(this.pool, this.settings.keyring, guard, { organizationId, ...endpoint });
    await disableWebhookEndpoint(this.pool, { organizationId, id });
  }
}
