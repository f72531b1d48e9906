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
import { ViewerDocument } from './graphql/generated/viewer.ts';
import { startLanguages } from './i18n/i18n.ts';
import { beginPage, Pages } from './pages.tsx';
import { theme } from './theme.ts';

const colorSchemes = localStorageColorSchemeManager({ key: 'kilotoken-color-scheme' });

/** The page's own nonce; a browser hides it from attributes and shows it to scripts. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

// Dialogs lock scrolling by a style of a library's own, which asks this one for the nonce.
setNonce(nonce);
const client = createClient();
// What the first page needs comes while the messages do; a failure is told by the page, which asks again.
if (beginPage(location.pathname)) client.query({ query: ViewerDocument }).catch(() => undefined);
await startLanguages();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colorSchemes} getStyleNonce={() => nonce}>
      <Notifications position="top-right" />
      <ApolloProvider client={client}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </ApolloProvider>
    </MantineProvider>
  </StrictMode>,
);
