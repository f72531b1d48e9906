import { Anchor, Badge, Code, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { ArrowLeft, SearchX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import { CopyIcon } from '../../components/copy.tsx';
import { Facts } from '../../components/facts.tsx';
import { None } from '../../components/none.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { Query } from '../../components/query-state.tsx';
import { EmptyState } from '../../components/states.tsx';
import { Amount } from '../../components/amount.tsx';
import { RequestDetailDocument } from '../../graphql/generated/requests.ts';
import type { RequestDetailQuery } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';
import { Arithmetic } from './arithmetic.tsx';
import { Attempts } from './attempts.tsx';
import { Charges } from './columns.tsx';
import { OutcomeBadge } from './outcome-badge.tsx';
import { Timeline } from './timeline.tsx';

export type RequestDetail = NonNullable<NonNullable<RequestDetailQuery['organization']>['request']>;

export default function RequestPage() {
  const { t } = useTranslation();
  const { id: organizationId, slug } = useOrganization();
  const { id = '' } = useParams();
  return (
    <Stack gap="sm">
      <Anchor component={Link} to={`/o/${slug}/requests`} size="sm" c="var(--text-quiet)">
        <Group gap={6}>
          <ArrowLeft size={14} aria-hidden="true" />
          {t('requests.title')}
        </Group>
      </Anchor>
      <Query document={RequestDetailDocument} variables={{ organizationId, id }}>
        {({ organization }) =>
          organization?.request ? <Detail request={organization.request} /> : <EmptyState icon={SearchX} title={t('request.missing.title')} text={t('request.missing.text')} />
        }
      </Query>
    </Stack>
  );
}

function Detail({ request }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  return (
    <Page
      title={request.model}
      description={
        <Group component="span" gap={6}>
          <Code>{request.requestId}</Code>
          <CopyIcon value={request.requestId} />
        </Group>
      }
      actions={
        <Group gap="sm">
          {request.estimated && <Badge color="yellow">{t('request.estimated')}</Badge>}
          <OutcomeBadge outcome={request.outcome} status={request.status} />
          <Text component="div" fw={600} size="lg">
            <Charges charges={request.charges} />
          </Text>
        </Group>
      }
    >
      <Panel title={t('request.timeline')}>
        <Timeline request={request} />
      </Panel>
      <Arithmetic request={request} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Panel title={t('request.facts')}>
          <RequestFacts request={request} />
        </Panel>
        <Attempts attempts={request.attempts} />
      </SimpleGrid>
    </Page>
  );
}

function RequestFacts({ request }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  const facts = [
    [t('common.project'), request.project?.name],
    [t('common.apiKey'), request.apiKey?.name],
    [t('request.operation'), request.operation],
    [t('request.status'), request.errorCode ? `${request.status} ${request.errorCode}` : String(request.status)],
    [t('request.finish'), request.finishReason],
    [t('request.stream'), request.stream ? t('common.yes') : t('common.no')],
    [t('request.endUser'), request.endUser],
    [t('request.lane'), request.lane],
  ] as const;
  const unit = request.charges[0]?.unit;
  return (
    <Facts
      facts={[
        ...facts.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => ({ name, value })),
        { name: t('request.hold'), value: request.hold && unit ? <Amount value={request.hold} unit={unit} /> : <None /> },
        ...(request.cost && request.costCurrency ? [{ name: t('request.cost'), value: <Amount value={request.cost} unit={request.costCurrency} /> }] : []),
        ...(request.margin && request.costCurrency ? [{ name: t('request.margin'), value: <Amount value={request.margin} unit={request.costCurrency} /> }] : []),
        { name: t('request.tags'), value: <Tags tags={request.tags} /> },
      ]}
    />
  );
}

function Tags({ tags }: { readonly tags: unknown }) {
  const entries = typeof tags === 'object' && tags !== null ? Object.entries(tags) : [];
  if (entries.length === 0) return <None />;
  return (
    <Group gap={4}>
      {entries.map(([name, value]) => (
        <Badge key={name} color="gray">
          {name}: {String(value)}
        </Badge>
      ))}
    </Group>
  );
}
