import { z } from 'zod';
import { writeAtomically } from '../atomic-write.js';

/** Everything a program needs to use this installation. Later versions add fields and change none. */
const quickstartSchema = z.object({
  /** Base URL for OpenAI's SDKs. */
  gatewayUrl: z.url(),
  apiKey: z.string().nullable(),
  /** Key of the `bench` organization, which has no limits. */
  benchApiKey: z.string().nullable(),
  /** The owner's login. */
  databaseUrl: z.string(),
  /** The control plane's login, which `kt` uses. Null: somebody else manages the logins and made none. */
  controlDatabaseUrl: z.string().nullable(),
  models: z.array(z.string()),
  /** The model to try first: the engine's, else the local one, else the loopback engine. */
  model: z.string().nullable(),
  /** The model of the worker's HTTP engine, if WORKER_ENGINE_URL put it on sale. */
  engineModel: z.string().nullable(),
  /** The local model in the worker's process, if there is one. */
  localModel: z.string().nullable(),
  /** The deterministic engine, which says so in every answer. */
  loopbackModel: z.string().nullable(),
  /** The console in a browser. */
  consoleUrl: z.url(),
  graphqlUrl: z.url(),
  /** Subscriptions, by graphql-ws. */
  graphqlWsUrl: z.url(),
  /** POST {email, password} sets the cookie. */
  signInUrl: z.url(),
  /** An admin's, in a demo. */
  serviceToken: z.string().nullable(),
  /** The people of the demo. */
  users: z.array(z.object({ role: z.string(), email: z.string(), password: z.string(), organizationId: z.string() })),
  /** Where mails become files. Null: a mail server sends them. */
  mailFolder: z.string().nullable(),
});

export type Quickstart = z.infer<typeof quickstartSchema>;

export function writeQuickstart(file: string, quickstart: Quickstart): void {
  writeAtomically(file, `${JSON.stringify(quickstartSchema.parse(quickstart), null, 2)}\n`);
}
