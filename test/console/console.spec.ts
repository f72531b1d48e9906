import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import { isMet } from '../support/requirements.js';
import { ConsoleWorld } from '../support/console.js';
import { proveAccessibility } from './accessibility.suite.js';
import { proveGrants } from './grants.suite.js';
import { proveKeys } from './keys.suite.js';
import { proveLighthouse } from './lighthouse.suite.js';
import { provePalette } from './palette.suite.js';
import { provePlayground } from './playground.suite.js';
import { proveRoles } from './roles.suite.js';
import { proveSignIn } from './sign-in.suite.js';

/** The console in a real browser against the real processes. One installation serves all of these. */

const START_MS_MAX = 300_000;

describe('the console', () => {
  let world: ConsoleWorld;
  beforeAll(async () => {
    if (isMet('chromium')) world = await ConsoleWorld.create();
  }, START_MS_MAX);
  afterEach(() => world?.closePages());
  afterAll(() => world?.close(), START_MS_MAX);

  const current = (): ConsoleWorld => world;
  describe('the overview', () => proveLighthouse(current));
  describe('signing in', () => proveSignIn(current));
  describe('API keys', () => proveKeys(current));
  describe('grants', () => proveGrants(current));
  describe('the playground', () => provePlayground(current));
  describe('the palette', () => provePalette(current));
  describe('roles', () => proveRoles(current));
  describe('every page', () => proveAccessibility(current));
});
