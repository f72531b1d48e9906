import { Box, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

interface PageProps {
  readonly title: string;
  readonly description?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A page's head and body; the browser's tab and a screen reader hear its title. */
export function Page({ title, description, actions, children }: PageProps) {
  useDocumentTitle(`${title} · Kilotoken`);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Box maw={640}>
          <Title order={1}>{title}</Title>
          {description && (
            <Text size="sm" className="quiet" mt={4}>
              {description}
            </Text>
          )}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

interface PanelProps {
  readonly title?: string;
  readonly actions?: ReactNode;
  /** Without padding, for tables that reach the panel's edge. */
  readonly flush?: boolean;
  readonly children: ReactNode;
}

export function Panel({ title, actions, flush = false, children }: PanelProps) {
  return (
    <Paper component="section" aria-label={title} style={{ overflow: 'hidden' }}>
      {(title || actions) && (
        <Group justify="space-between" px="md" py="sm" gap="xs" mih={48} style={{ borderBottom: flush ? '1px solid var(--line)' : undefined }}>
          {title && <Title order={2}>{title}</Title>}
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      )}
      <Box p={flush ? 0 : 'md'} pt={!flush && title ? 4 : undefined}>
        {children}
      </Box>
    </Paper>
  );
}
