import { Button, Center, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { CircleAlert, Inbox, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { troubleOf } from '../api/trouble.ts';

interface NoticeProps {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly text: string;
  readonly action?: ReactNode;
  readonly role?: 'alert' | 'status';
}

function Notice({ icon: Icon, title, text, action, role }: NoticeProps) {
  return (
    <Center py={48} px="md" role={role}>
      <Stack align="center" gap={6} maw={440}>
        <ThemeIcon variant="light" color="gray" size={40} radius="xl" mb={4}>
          <Icon size={20} aria-hidden="true" />
        </ThemeIcon>
        <Title order={3} ta="center">
          {title}
        </Title>
        <Text size="sm" className="quiet" ta="center">
          {text}
        </Text>
        {action && <div style={{ marginTop: 8 }}>{action}</div>}
      </Stack>
    </Center>
  );
}

interface EmptyStateProps {
  readonly title: string;
  readonly text: string;
  readonly icon?: LucideIcon;
  readonly action?: ReactNode;
}

export function EmptyState({ icon = Inbox, ...rest }: EmptyStateProps) {
  return <Notice icon={icon} {...rest} />;
}

interface ErrorStateProps {
  readonly error: unknown;
  readonly onRetry?: () => void;
}

/** Says what happened and what to do about it. */
export function ErrorState({ error, onRetry }: ErrorStateProps) {
  const { t } = useTranslation();
  const trouble = troubleOf(error);
  const retry = onRetry && trouble !== 'forbidden' && (
    <Button variant="default" onClick={onRetry}>
      {t('common.retry')}
    </Button>
  );
  return <Notice role="alert" icon={CircleAlert} title={t(`trouble.${trouble}.title`)} text={t(`trouble.${trouble}.text`)} action={retry} />;
}
