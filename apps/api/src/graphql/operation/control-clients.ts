import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Actor } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';

/** Stands in until a change names its actor; the database takes no change of this one. */
export const nobody: Actor = { kind: 'system', id: 'api', name: null };

const connectionsMax = 4;

/** The client of flows that need Prisma, made when the first change asks for it: it takes memory and time to load. */
@Injectable()
export class ControlClients implements OnApplicationShutdown {
  private client: Promise<ControlClient> | null = null;

  constructor(
    private readonly databaseUrl: string,
    private readonly applicationName: string,
  ) {}

  get(): Promise<ControlClient> {
    return (this.client ??= this.make());
  }

  async onApplicationShutdown(): Promise<void> {
    await (await this.client)?.$disconnect();
  }

  private async make(): Promise<ControlClient> {
    const { createControlClient } = await import('@kilotoken/platform/prisma');
    return createControlClient(this.databaseUrl, nobody, { applicationName: this.applicationName, connectionsMax });
  }
}
