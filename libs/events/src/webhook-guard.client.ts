import { promises as dns, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { addressInHost, isPublicAddress, isPublicName } from '@kilotoken/contracts';
import { AppError } from '@kilotoken/platform';
import { parseWebhookUrl, urlProblemTexts } from './webhook.js';

/**
 * Keeps webhooks away from addresses inside. A name is resolved when an endpoint is registered, so that its owner learns at once,
 * and again for each connection, which goes to the checked addresses alone: a name that changes between check and connection
 * leads nowhere (DNS rebinding).
 */
export interface WebhookGuardSettings {
  /** For development and tests: http, and addresses of this machine and its network. */
  readonly allowPrivate: boolean;
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

const lookupMsMax = 5_000;

const resolveAll = (hostname: string): Promise<LookupAddress[]> => dns.lookup(hostname, { all: true, order: 'verbatim' });

const urlRefused = (why: string): AppError =>
  new AppError({ code: 'webhook_url_refused', kind: 'invalid', publicMessage: `The address cannot be used for webhooks: ${why}.` });

const leadsInside = 'it leads to an address that is not public';

export class WebhookGuard {
  private readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;

  constructor(private readonly settings: WebhookGuardSettings) {
    this.resolve = settings.resolve ?? resolveAll;
  }

  /** The address in its normal form. Throws `webhook_url_refused`. */
  async check(text: string): Promise<string> {
    const parsed = this.checkForm(text);
    const { hostname } = new URL(parsed);
    if (addressInHost(hostname) === null) await this.lookUp(hostname);
    return parsed;
  }

  /** The same without resolving a name, which the connection does. */
  checkForm(text: string): string {
    const parsed = parseWebhookUrl(text, this.settings.allowPrivate);
    if ('problem' in parsed) throw urlRefused(urlProblemTexts[parsed.problem]);
    const { hostname } = new URL(parsed.url);
    const address = addressInHost(hostname);
    const isPublic = address === null ? this.settings.allowPrivate || isPublicName(hostname) : this.isAllowed(address);
    if (!isPublic) throw urlRefused(leadsInside);
    return parsed.url;
  }

  /** Node calls it for each name it connects to, and connects to the addresses that it answers. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.lookUp(hostname).then(
      (addresses) => {
        if (options.all) callback(null, [...addresses]);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };

  private async lookUp(hostname: string): Promise<readonly LookupAddress[]> {
    const addresses = await this.resolveInTime(hostname);
    // One address inside is enough to refuse: the connection may take any of them.
    if (addresses.length === 0) throw urlRefused('its name has no address');
    if (!addresses.every(({ address }) => this.isAllowed(address))) throw urlRefused(leadsInside);
    return addresses;
  }

  private async resolveInTime(hostname: string): Promise<readonly LookupAddress[]> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(urlRefused('its name could not be resolved in time')), lookupMsMax);
    });
    const resolving = this.resolve(hostname).catch(() => {
      throw urlRefused('its name cannot be resolved');
    });
    return Promise.race([resolving, tooLate]).finally(() => clearTimeout(timer));
  }

  private isAllowed(address: string): boolean {
    return this.settings.allowPrivate || isPublicAddress(address);
  }
}
