import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

/** Where `npm start` serves the api; `npx vite` serves the pages themselves and hands on everything else. */
const api = 'http://127.0.0.1:8081';

export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ['@kilotoken/source', ...defaultClientConditions] },
  // The api replaces it in every answer, so that styles which libraries insert pass a content policy without 'unsafe-inline'.
  html: { cspNonce: 'CONSOLE_CSP_NONCE' },
  build: { target: 'es2022', manifest: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/graphql': { target: api, ws: true }, '/api': api } },
});
