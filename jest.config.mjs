/** One configuration for all tests; `tools/test.mjs` chooses which folders run, and in what order. */
export default {
  globalSetup: './test/support/global-setup.mjs',
  globalTeardown: './test/support/global-teardown.mjs',
  // Jest's own pattern would take tools/test.mjs, which runs Jest, for a test.
  testMatch: ['**/*.spec.ts'],
  // No claim of any test, only an end to those that hang: on a busy machine a start of Postgres alone takes many seconds.
  testTimeout: 180_000,
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@kilotoken/source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/.kilotoken/'],
  modulePathIgnorePatterns: ['/dist/', '/.kilotoken/'],
};
