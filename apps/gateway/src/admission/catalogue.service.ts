import { Injectable } from '@nestjs/common';
import type { SessionService } from '@kilotoken/funding';
import { loadCatalogue, type Catalogue } from '@kilotoken/marketplace';
import type { Pool } from 'pg';
import type { Logger } from 'pino';

/** A polled change must be in use this soon, or nothing is admitted. */
const reloadMsMax = 500;

/** The catalogue of models, lanes and prices, loaded again when the poll says that it changed. */
@Injectable()
export class CatalogueService {
  private catalogue: Catalogue | null = null;
  private loading: Promise<void> | null = null;
  private changedAtVersion = 0n;
  /** Since when a change is known that is not loaded yet; null when there is none. */
  private behindSinceMs: number | null = null;
  private readonly listeners: ((catalogue: Catalogue) => void)[] = [];

  constructor(
    private readonly pool: Pool,
    private readonly session: SessionService,
    private readonly logger: Logger,
  ) {
    session.onPoll(({ changes, version }) => {
      if (changes === null || changes.some((change) => change.kind === 'catalogue')) this.changedAtVersion = version;
      if (!this.catalogue || this.catalogue.version >= this.changedAtVersion) return;
      this.behindSinceMs ??= session.nowMs();
      void this.reload();
    });
  }

  async start(): Promise<void> {
    await this.reload();
    if (!this.catalogue) throw new Error('the catalogue could not be loaded');
  }

  onLoad(listener: (catalogue: Catalogue) => void): void {
    this.listeners.push(listener);
  }

  /** Null when it is not known to be current: no recent poll, or a polled change that could not be loaded in time. */
  current(): Catalogue | null {
    if (!this.session.isCurrent()) return null;
    return this.behindSinceMs === null || this.session.nowMs() - this.behindSinceMs < reloadMsMax ? this.catalogue : null;
  }

  private async reload(): Promise<void> {
    this.loading ??= loadCatalogue(this.pool)
      .then((catalogue) => {
        this.catalogue = catalogue;
        if (catalogue.version >= this.changedAtVersion) this.behindSinceMs = null;
        this.listeners.forEach((listener) => listener(catalogue));
      })
      .catch((error: unknown) => {
        this.logger.error({ event: 'catalogue.load_failed', error });
      })
      .finally(() => {
        this.loading = null;
      });
    await this.loading;
  }
}
