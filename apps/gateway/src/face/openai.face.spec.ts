import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { fastify } from 'fastify';
import { registerOpenAiFace, type OpenAiFace } from './openai.face.js';

const document = JSON.parse(readFileSync(new URL('../../../../docs/openapi.json', import.meta.url), 'utf8')) as { paths: Record<string, object> };

/** The platform's, on every process. */
const platformRoutes = ['GET /healthz', 'GET /health', 'GET /readyz'];

/** The routes that are really registered; none of them is called, so nothing stands behind them. */
const readRoutes = async (): Promise<string[]> => {
  const face = fastify();
  const routes: string[] = [];
  face.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') routes.push(`${one} ${url}`);
  });
  await registerOpenAiFace(face, {} as OpenAiFace);
  await face.ready();
  await face.close();
  return routes;
};

describe('the OpenAPI document', () => {
  test('has every route of the gateway, and no other', async () => {
    const described = Object.entries(document.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    const registered = (await readRoutes()).map((route) => route.replace(/:(\w+)/g, '{$1}').replace('/*', '/{id}'));
    expect(described.sort()).toEqual([...registered, ...platformRoutes].sort());
  });
});
