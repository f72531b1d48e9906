import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import { MonitorSmartphone } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { auth, type SignedInSession } from '../../api/auth.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState, ErrorState } from '../../components/states.tsx';
import { When } from '../../components/when.tsx';

interface Sessions {
  readonly rows: readonly SignedInSession[];
  readonly current: string | null;
}

/** Browsers in which this person is signed in, each of which can be signed out from here. */
export function SessionsPanel() {
  const { t } = useTranslation();
  const [sessions, setSessions] = useState<Sessions | null>(null);
  const [failed, setFailed] = useState(false);
  const load = useCallback(async (): Promise<void> => {
    const [all, own] = await Promise.all([auth.listSessions(), auth.currentSession()]);
    setFailed(!all.ok);
    if (all.ok) setSessions({ rows: all.value, current: own.ok ? (own.value?.session.token ?? null) : null });
  }, []);
  useEffect(() => void load(), [load]);
  const end = async (token: string): Promise<void> => {
    await auth.revokeSession(token);
    await load();
  };
  const endOthers = async (): Promise<void> => {
    await auth.revokeOtherSessions();
    await load();
  };
  const others = (sessions?.rows.length ?? 0) > 1 && (
    <Button size="xs" variant="default" onClick={() => void endOthers()}>
      {t('sessions.endOthers')}
    </Button>
  );
  if (failed) return <ErrorState error={null} onRetry={() => void load()} />;
  return (
    <Panel flush title={t('sessions.title')} actions={others}>
      <DataTable
        caption={t('sessions.title')}
        rows={sessions?.rows}
        keyOf={({ id }) => id}
        empty={<EmptyState icon={MonitorSmartphone} title={t('sessions.empty.title')} text={t('sessions.empty.text')} />}
        columns={[
          { key: 'agent', title: t('sessions.browser'), render: ({ userAgent, ipAddress }) => <Browser agent={userAgent} address={ipAddress} /> },
          { key: 'since', title: t('sessions.since'), from: 'sm', render: ({ createdAt }) => <When at={createdAt} relative /> },
          {
            key: 'actions',
            title: '',
            align: 'right',
            render: ({ token }) =>
              token === sessions?.current ? (
                <Badge color="teal">{t('sessions.current')}</Badge>
              ) : (
                <Button size="compact-xs" variant="default" onClick={() => void end(token)}>
                  {t('sessions.end')}
                </Button>
              ),
          },
        ]}
      />
    </Panel>
  );
}

const browsers = [/Edg\/\d+/, /Firefox\/\d+/, /Chrome\/\d+/, /Version\/\d+.*Safari/] as const;

function Browser({ agent, address }: { readonly agent: string | null | undefined; readonly address: string | null | undefined }) {
  const { t } = useTranslation();
  const match = browsers.map((pattern) => pattern.exec(agent ?? '')?.[0]).find((text) => text !== undefined);
  const name = match?.includes('Safari') ? 'Safari' : match?.replace('Edg/', 'Edge ').replace('/', ' ');
  return (
    <Stack gap={0}>
      <Text size="sm" fw={500} title={agent ?? undefined}>
        {name ?? t('sessions.unknown')}
      </Text>
      <Group gap={6}>
        <Text size="xs" className="quiet">
          {address}
        </Text>
      </Group>
    </Stack>
  );
}
