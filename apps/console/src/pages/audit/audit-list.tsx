import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { Code, Group, Modal, SimpleGrid, Stack, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { FileClock } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Column } from '../../components/data-table.tsx';
import { Facts } from '../../components/facts.tsx';
import { KeysetList, type Connection } from '../../components/keyset-list.tsx';
import { None } from '../../components/none.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { When, WholeTime } from '../../components/when.tsx';
import type { AuditFieldsFragment, AuditFilter } from '../../graphql/generated/types.ts';

const TYPING_MS = 300;

interface AuditListProps<Answer, Variables extends OperationVariables> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly scope: Omit<Variables, 'first' | 'after' | 'filter'>;
  readonly connectionOf: (answer: Answer) => Connection<AuditFieldsFragment> | null | undefined;
  readonly withOrganization: boolean;
}

/** Who did what to what, before and after; one entry opens with its place in the chain of hashes. */
export function AuditList<Answer, Variables extends OperationVariables>({ document, scope, connectionOf, withOrganization }: AuditListProps<Answer, Variables>) {
  const { t } = useTranslation();
  const [action, setAction] = useState('');
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const [typed] = useDebouncedValue(action.trim(), TYPING_MS);
  const [opened, setOpened] = useState<AuditFieldsFragment | null>(null);
  const filter = useMemo(
    (): AuditFilter => ({
      ...(typed !== '' && { action: typed }),
      ...(from !== '' && { from: new Date(`${from}T00:00:00`).toISOString() }),
      ...(until !== '' && { until: new Date(`${until}T23:59:59.999`).toISOString() }),
    }),
    [typed, from, until],
  );
  return (
    <Stack gap="md">
      <Group gap="xs" align="flex-end" role="search" aria-label={t('common.filters')}>
        <TextInput size="xs" w={220} label={t('audit.action')} placeholder="apiKey.create" value={action} onChange={(event) => setAction(event.currentTarget.value)} />
        <TextInput size="xs" type="date" label={t('common.from')} value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
        <TextInput size="xs" type="date" label={t('common.until')} value={until} onChange={(event) => setUntil(event.currentTarget.value)} />
      </Group>
      <Panel flush>
        <KeysetList
          caption={t('audit.title')}
          document={document}
          variables={{ ...scope, filter } as unknown as Omit<Variables, 'first' | 'after'>}
          connectionOf={connectionOf}
          keyOf={({ id }) => id}
          columns={useColumns(withOrganization, setOpened)}
          empty={<EmptyState icon={FileClock} title={t('audit.empty.title')} text={t('audit.empty.text')} />}
        />
      </Panel>
      {opened && <Entry entry={opened} onClose={() => setOpened(null)} />}
    </Stack>
  );
}

function useColumns(withOrganization: boolean, open: (entry: AuditFieldsFragment) => void): readonly Column<AuditFieldsFragment>[] {
  const { t } = useTranslation();
  const organization: Column<AuditFieldsFragment> = { key: 'organization', title: t('common.organization'), from: 'md', render: (entry) => entry.organization?.name ?? <None /> };
  return [
    { key: 'at', title: t('audit.at'), render: ({ at }) => <When at={at} /> },
    {
      key: 'action',
      title: t('audit.action'),
      render: (entry) => (
        <UnstyledButton onClick={() => open(entry)} fz="sm" fw={500} c="var(--mantine-color-anchor)">
          {entry.action}
        </UnstyledButton>
      ),
    },
    { key: 'actor', title: t('audit.actor'), from: 'xs', render: ({ actor }) => <ActorName actor={actor} /> },
    ...(withOrganization ? [organization] : []),
    { key: 'object', title: t('audit.object'), from: 'sm', render: ({ objectType, objectId }) => <ObjectName type={objectType} id={objectId} /> },
  ];
}

export function ActorName({ actor }: Pick<AuditFieldsFragment, 'actor'>) {
  return (
    <Text size="sm" truncate maw={200}>
      {actor.name ?? actor.id} <span className="quiet">{actor.name ? '' : actor.kind}</span>
    </Text>
  );
}

function ObjectName({ type, id }: { readonly type: string; readonly id: string | null }) {
  return (
    <Stack gap={0}>
      <Text size="sm">{type}</Text>
      {id && (
        <Text size="xs" ff="monospace" className="quiet" truncate maw={180}>
          {id}
        </Text>
      )}
    </Stack>
  );
}

function Entry({ entry, onClose }: { readonly entry: AuditFieldsFragment; readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal opened size="xl" title={entry.action} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Stack gap="md">
        <Facts
          facts={[
            { name: t('audit.at'), value: <WholeTime at={entry.at} /> },
            { name: t('audit.actor'), value: `${entry.actor.name ?? entry.actor.id} (${entry.actor.kind})` },
            { name: t('audit.object'), value: `${entry.objectType} ${entry.objectId ?? ''}` },
            { name: t('audit.ip'), value: entry.ip ?? <None /> },
            { name: t('audit.request'), value: entry.requestId ?? <None /> },
            { name: t('audit.hash'), value: <Code>{entry.hash}</Code> },
          ]}
        />
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Value title={t('audit.before')} value={entry.before} />
          <Value title={t('audit.after')} value={entry.after} />
        </SimpleGrid>
      </Stack>
    </Modal>
  );
}

function Value({ title, value }: { readonly title: string; readonly value: unknown }) {
  return (
    <div>
      <Text size="sm" fw={500} mb={4}>
        {title}
      </Text>
      {value === null || value === undefined ? (
        <None />
      ) : (
        <Code block tabIndex={0} aria-label={title}>
          {JSON.stringify(value, null, 2)}
        </Code>
      )}
    </div>
  );
}
