import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Layers from the ground up. A project may use what lies below its own layer, never a sibling of it. */
const layers = ['money', 'contracts', 'protocol', 'platform', 'pricing', 'facts', 'hot', 'business', 'proof', 'app'];

const layerConstraints = layers.map((layer, height) => ({
  sourceTag: `layer:${layer}`,
  onlyDependOnLibsWithTags: layers.slice(0, height).map((below) => `layer:${below}`),
}));

/** What also runs in a browser takes nothing from outside but the parser of what comes over the wire. */
const browserConstraints = ['money', 'contracts', 'protocol'].map((layer) => ({
  sourceTag: `layer:${layer}`,
  bannedExternalImports: ['@nestjs/*', 'fastify', 'pg', 'pino', 'pino-roll', 'prom-client', 'undici', '@prisma/*', 'reflect-metadata', 'rxjs'],
}));

/** What tests share is no project; a pattern, since every project reaches it from its own depth. */
const testSupport = ['^(\\.\\./)+test/support/'];

const domainLibs = ['money', 'contracts', 'openai', 'identity', 'ledger', 'pricing', 'usage', 'marketplace', 'inference', 'funding', 'quota', 'metering', 'rollups', 'reconcile', 'events', 'access', 'audit', 'accounts', 'people'];
const effectfulImports = ['@nestjs/*', 'pg', 'pg-*', 'undici', 'fastify', 'prom-client', 'node-llama-cpp', 'node:fs', 'node:fs/*', 'node:net', 'node:http', 'node:https', 'node:child_process'];

const environmentMessage = 'Settings are parsed once, by a zod schema in the config file of the app or tool.';

/** What plain JavaScript files use of Node; TypeScript files are checked by the compiler. */
const nodeGlobals = Object.fromEntries(
  ['AbortController', 'AbortSignal', 'Buffer', 'URL', 'clearInterval', 'clearTimeout', 'console', 'fetch', 'performance', 'process', 'setImmediate', 'setInterval', 'setTimeout'].map(
    (name) => [name, 'readonly'],
  ),
);

export default tseslint.config(
  { ignores: ['**/dist/**', '**/generated/**', '**/node_modules/**', '.nx/**', '.kilotoken/**', 'coverage/**', '.*/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: { globals: nodeGlobals },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { enforceBuildableLibDependency: false, allow: testSupport, depConstraints: [...layerConstraints, ...browserConstraints] },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
      // `== null` is the one question that asks for both kinds of nothing.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: environmentMessage }],
      'no-restricted-imports': ['error', { paths: [{ name: 'node:process', importNames: ['env'], message: environmentMessage }] }],
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['prisma.config.ts'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // The compiler knows every name; these are what only types can tell, and each was a bug in somebody's gateway.
      'no-undef': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unsafe-enum-comparison': 'error',
      // Noted with a reason where it is true: an index that was just checked, a row that the statement guarantees.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // Types that providers are injected by must stay imports of values.
    files: ['libs/*/src/**/*.ts', 'tools/src/**/*.ts', 'apps/gateway/src/**/*.ts'],
    ignores: ['**/*.module.ts', '**/*.service.ts', '**/*.controller.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'error' },
  },
  {
    // The suffix is the layer: without one a file is pure, so that tests drive it with nothing but values.
    files: domainLibs.map((name) => `libs/${name}/src/**/*.ts`),
    ignores: ['**/*.{service,flow,store,client,module,controller,engine,spec}.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ group: effectfulImports, allowTypeImports: true, message: 'A file without a role suffix is pure: effects belong to a file with a role: .store.ts, .flow.ts, .service.ts, .client.ts or .engine.ts.' }] },
      ],
    },
  },
  {
    // Runs in a browser, as it stands.
    files: ['apps/console/public/*.js'],
    languageOptions: { globals: { document: 'readonly', localStorage: 'readonly', matchMedia: 'readonly' } },
  },
  {
    files: ['**/config.ts', '**/config.mjs', 'tools/*.mjs', 'test/**', '**/*.spec.ts', '*.config.mjs', 'prisma.config.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
);
