import type { Viewer } from '@kilotoken/access';
import type { RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { createApiApp } from '../../apps/api/src/app.js';
import { readApiSettings } from '../../apps/api/src/config.js';
import type { PersistedOperations } from '../../apps/api/src/graphql/server/persisted-operations.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from './postgres.js';

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export type Answer = Record<string, unknown>;

/** The api as a process of its own would be, for viewers that a test makes: each is looked up by a header. */
export interface TestApi {
  readonly url: string;
  readonly database: TestDatabase;
  /** Headers by which the api knows a viewer. */
  headersOf(viewer: Viewer | null): Record<string, string>;
  /** From the next look-up on the viewer is somebody else. */
  become(viewer: Viewer, other: Viewer): void;
  sendRaw(viewer: Viewer | null, sent: Sent): Promise<Response>;
  send(viewer: Viewer | null, body: object): Promise<{ status: number; body: Answer }>;
  query(viewer: Viewer | null, query: string, variables?: object): Promise<Answer>;
  stop(): Promise<void>;
}

const viewerHeader = 'x-test-viewer';

export const startTestApi = async ({ persisted = new Map(), settings = {}, database }: { persisted?: PersistedOperations; settings?: Record<string, string>; database?: TestDatabase } = {}): Promise<TestApi> => {
  const own = database ?? (await createTestDatabase());
  const viewers = new Map<string, Viewer>();
  const app = createApiApp({ persisted, resolveViewer: async (headers) => ({ viewer: viewers.get(String(headers[viewerHeader])) ?? null, sessionId: '00000000-0000-7000-8000-000000000000' }) });
  const parsed = readApiSettings({
    API_PORT: '0', API_METRICS_PORT: '0', INTERNAL_TOKEN: 'a-token-of-24-characters', LOG_LEVEL: 'silent', APP_DATABASE_URL: serviceUrl(own.appUrl, 'api'), KILOTOKEN_SECRET_KEY: 'k'.repeat(32),
    API_CORS_ORIGINS: 'https://console.example.com', ...settings,
  });
  const running: RunningApp = await startApp(app, parsed, await openLog({ name: 'api', level: 'silent' }));
  const url = `http://127.0.0.1:${running.port}/graphql`;

  const names = new Map<Viewer, string>();
  const headersOf = (viewer: Viewer | null): Record<string, string> => {
    if (!viewer) return {};
    const name = names.get(viewer) ?? String(names.size);
    names.set(viewer, name);
    if (!viewers.has(name)) viewers.set(name, viewer);
    return { [viewerHeader]: name };
  };

  const sendRaw = async (viewer: Viewer | null, { method = 'POST', path = '', body, headers = {} }: Sent): Promise<Response> => {
    return fetch(`${url}${path}`, { method, headers: { 'content-type': 'application/json', ...headersOf(viewer), ...headers }, ...(body === undefined ? {} : { body }) });
  };
  const send: TestApi['send'] = async (viewer, body) => {
    const response = await sendRaw(viewer, { body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  return {
    url,
    database: own,
    headersOf,
    become: (viewer, other) => void viewers.set(names.get(viewer)!, other),
    sendRaw,
    send,
    query: async (viewer, query, variables = {}) => (await send(viewer, { query, variables })).body,
    stop: async () => {
      await running.close();
      await own.drop();
    },
  };
};
