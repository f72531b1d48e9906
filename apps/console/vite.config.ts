import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

/** Where `npm start` serves the api; `npx vite` serves the pages themselves and hands on everything else. */
const api = 'http://127.0.0.1:8081';
const compress = promisify(brotliCompress);

/** The list of operations for the api, which runs these and no others for people's sessions in production. */
const persistedOperations = (): Plugin => ({
  name: 'persisted-operations',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'persisted-operations.json', source: readFileSync('src/graphql/generated/persisted-operations.json') });
  },
});

/** Writes each file compressed too, so that the api never compresses one twice. It runs after Vite's last change to the files. */
const compressed = (): Plugin => ({
  name: 'compressed',
  apply: 'build',
  async writeBundle({ dir }, bundle) {
    const paths = Object.keys(bundle).filter((name) => /^assets\/.*\.(js|css)$/.test(name)).map((name) => join(dir!, name));
    await Promise.all(paths.map(async (path) => writeFile(`${path}.br`, await compress(await readFile(path), { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }))));
  },
});

/** Few files instead of one for each icon and input: what every page needs, and what many pages share. */
const groups = [
  { name: 'framework', test: /node_modules.(react|react-dom|scheduler|react-router|@apollo|graphql|rxjs|optimism|@wry|i18next|react-i18next)[\\/]/, priority: 3 },
  { name: 'icons', test: /node_modules.lucide-react[\\/]/, priority: 4 },
  { name: 'shared', test: /node_modules.(@mantine|@floating-ui|react-remove-scroll)|src.(components|format|session|api|shell)[\\/]/, minShareCount: 6, priority: 2 },
];

export default defineConfig({
  plugins: [react(), persistedOperations(), compressed()],
  resolve: { conditions: ['@kilotoken/source', ...defaultClientConditions] },
  // The api replaces it in every answer, so that styles which libraries insert pass a content policy without 'unsafe-inline'.
  html: { cspNonce: 'CONSOLE_CSP_NONCE' },
  build: { target: 'es2022', cssTarget: ['chrome123', 'firefox120', 'safari17.5'], manifest: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 700, modulePreload: { polyfill: false }, rolldownOptions: { output: { codeSplitting: { groups } } } },
  server: { proxy: { '/graphql': { target: api, ws: true }, '/api': api } },
});
