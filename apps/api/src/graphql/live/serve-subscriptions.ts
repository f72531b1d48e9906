import type { INestApplication } from '@nestjs/common';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { ApiSettings } from '../../config.js';
import { operationFor, type OperationFor } from '../graphql.module.js';
import { createErrorFormatter } from '../server/caller-errors.js';
import { validationRules } from '../server/hardening.js';
import type { PersistedOperations } from '../server/persisted-operations.js';
import { LiveService } from './live.service.js';
import { serveSockets } from './socket.js';

/** Serves subscriptions on the server of the api; they end before it closes, which would wait for their sockets. */
export const serveSubscriptions = (app: INestApplication, fastify: FastifyInstance, { persisted }: { readonly persisted: PersistedOperations }, settings: ApiSettings, logger: Logger): void => {
  const isProduction = settings.KILOTOKEN_MODE === 'production';
  const format = createErrorFormatter(logger);
  let stop: (() => Promise<void>) | null = null;
  // The schema is there once the application has started.
  fastify.addHook('onReady', async () => {
    stop = serveSockets(fastify.server, {
      schema: app.get(GraphQLSchemaHost, { strict: false }).schema,
      rules: validationRules(isProduction),
      isProduction,
      persisted,
      origins: new Set([...(settings.API_CORS_ORIGINS ?? []), new URL(settings.API_PUBLIC_URL).origin]),
      operationFor: app.get<OperationFor>(operationFor, { strict: false }),
      formatError: (error) => format({ message: error.message, extensions: error.extensions }, error),
    });
  });
  fastify.addHook('preClose', async () => {
    await app.get(LiveService, { strict: false }).stop();
    await stop?.();
  });
};
