import '@fontsource-variable/inter/wght.css';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './styles.css';
import { ApolloProvider } from '@apollo/client/react';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { createClient } from './api/client.ts';
import { startLanguages } from './i18n/i18n.ts';
import { Pages } from './pages.tsx';
import { theme } from './theme.ts';

const colorSchemes = localStorageColorSchemeManager({ key: 'kilotoken-color-scheme' });

/** The page's own nonce; a browser hides it from attributes and shows it to scripts. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

// Dialogs lock scrolling by a style of a library's own, which asks this one for the nonce.
setNonce(nonce);
await startLanguages();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colorSchemes} getStyleNonce={() => nonce}>
      <Notifications position="top-right" />
      <ApolloProvider client={createClient()}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </ApolloProvider>
    </MantineProvider>
  </StrictMode>,
);
