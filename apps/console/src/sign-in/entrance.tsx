import { Alert, Anchor, Box, Button, Center, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { CircleAlert } from 'lucide-react';
import type { FormEvent, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { chooseLanguage, languages, type Language } from '../i18n/i18n.ts';

interface EntranceProps {
  readonly title: string;
  readonly text?: string;
  readonly children: ReactNode;
}

/** The frame of pages for people who are not signed in. */
export function Entrance({ title, text, children }: EntranceProps) {
  const { i18n } = useTranslation();
  useDocumentTitle(`${title} · Kilotoken`);
  return (
    <Center component="main" mih="100dvh" p="md">
      <Box w="100%" maw={380}>
        <Group gap={10} mb="lg" justify="center">
          <img src="/favicon.svg" width={28} height={28} alt="" />
          <Text fw={600} size="lg">
            Kilotoken
          </Text>
        </Group>
        <Paper p="xl">
          <Stack gap="md">
            <div>
              <Title order={1}>{title}</Title>
              {text && (
                <Text size="sm" className="quiet" mt={4}>
                  {text}
                </Text>
              )}
            </div>
            {children}
          </Stack>
        </Paper>
        <Group justify="center" gap="md" mt="lg">
          {Object.entries(languages).map(([language, name]) => (
            <Anchor key={language} component="button" type="button" size="xs" c="var(--text-quiet)" lang={language} aria-current={i18n.language === language ? 'true' : undefined} onClick={() => void chooseLanguage(language as Language)}>
              {name}
            </Anchor>
          ))}
        </Group>
      </Box>
    </Center>
  );
}

interface EntranceFormProps {
  readonly submit: string;
  readonly problem: string | null;
  readonly busy: boolean;
  readonly onSubmit: () => void;
  readonly children: ReactNode;
}

export function EntranceForm({ submit, problem, busy, onSubmit, children }: EntranceFormProps) {
  const send = (event: FormEvent): void => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form onSubmit={send}>
      <Stack gap="sm">
        {problem && (
          <Alert color="red" role="alert" icon={<CircleAlert size={18} aria-hidden="true" />} p="sm">
            {problem}
          </Alert>
        )}
        {children}
        <Button type="submit" loading={busy} fullWidth mt={4}>
          {submit}
        </Button>
      </Stack>
    </form>
  );
}
