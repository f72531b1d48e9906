import { Code, Stack, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Amount, Count } from '../../components/amount.tsx';
import { None } from '../../components/none.tsx';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import { sumAmounts } from '../../format/amount.ts';
import { useNames } from '../../i18n/names.ts';
import type { RequestDetail } from './request.page.tsx';
import classes from '../../components/data-table.module.css';

/** Every line of a charge: tokens × price ÷ per, rounded once, and the grants that paid. */
export function Arithmetic({ request }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  return (
    <Panel flush title={t('arithmetic.title')}>
      {request.lines.length === 0 ? <EmptyState title={t('arithmetic.none.title')} text={t('arithmetic.none.text')} /> : <Lines request={request} />}
      {request.allocations.length > 0 && <Allocations request={request} />}
    </Panel>
  );
}

function Lines({ request: { lines, counts } }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  const nameOf = useNames();
  const units = [...new Set(lines.map(({ unit }) => unit))];
  const free = counts.filter((count) => !lines.some((line) => line.class === count.class));
  return (
    <Table.ScrollContainer minWidth={0} type="native">
      <Table className={classes['table']}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('arithmetic.class')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('arithmetic.tokens')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('arithmetic.price')}</Table.Th>
            <Table.Th>{t('arithmetic.formula')}</Table.Th>
            <Table.Th ta="right">{t('common.amount')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line, index) => (
            <Table.Tr key={`${line.class} ${index}`}>
              <Table.Td>{nameOf('tokenClasses', line.class)}</Table.Td>
              <Table.Td ta="right" visibleFrom="sm">
                <Count value={line.tokens} />
              </Table.Td>
              <Table.Td ta="right" visibleFrom="sm">{line.price ? <PriceOf price={line.price} per={line.per} unit={line.unit} /> : <None />}</Table.Td>
              <Table.Td>
                <Code>{line.formula}</Code>
              </Table.Td>
              <Table.Td ta="right">
                <Amount value={line.amount} unit={line.unit} />
              </Table.Td>
            </Table.Tr>
          ))}
          {free.map((count) => (
            <Table.Tr key={count.class}>
              <Table.Td>{nameOf('tokenClasses', count.class)}</Table.Td>
              <Table.Td ta="right" visibleFrom="sm">
                <Count value={count.tokens} />
              </Table.Td>
              <Table.Td visibleFrom="sm" />
              <Table.Td className="quiet">{t('arithmetic.free')}</Table.Td>
              <Table.Td ta="right">
                <None />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Table.Tr>
            <Table.Th>{t('arithmetic.total')}</Table.Th>
            <Table.Th visibleFrom="sm" />
            <Table.Th visibleFrom="sm" />
            <Table.Th />
            <Table.Th ta="right">
              <Stack gap={0} align="flex-end">
                {units.map((unit) => (
                  <Amount key={unit} value={sumAmounts(lines.filter((line) => line.unit === unit).map(({ amount }) => amount))} unit={unit} />
                ))}
              </Stack>
            </Table.Th>
          </Table.Tr>
        </Table.Tfoot>
      </Table>
    </Table.ScrollContainer>
  );
}

function PriceOf({ price, per, unit }: { readonly price: string; readonly per: string | null; readonly unit: string }) {
  const { t } = useTranslation();
  return (
    <>
      <Amount value={price} unit={unit} />
      {per && (
        <Text span size="xs" className="quiet">
          {' '}
          {t('arithmetic.per')} <Count value={per} />
        </Text>
      )}
    </>
  );
}

function Allocations({ request: { allocations } }: { readonly request: RequestDetail }) {
  const { t } = useTranslation();
  const nameOf = useNames();
  return (
    <Table.ScrollContainer minWidth={0} type="native">
      <Table className={classes['table']} style={{ borderTop: '1px solid var(--line)' }}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('arithmetic.paidBy')}</Table.Th>
            <Table.Th visibleFrom="sm">{t('grants.reference')}</Table.Th>
            <Table.Th ta="right">{t('common.amount')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {allocations.map(({ grant, grantId, unit, amount }, index) => (
            <Table.Tr key={`${grantId} ${index}`}>
              <Table.Td>{grant ? nameOf('grantSources', grant.source) : (grantId ? <Code>{grantId}</Code> : t('arithmetic.nobody'))}</Table.Td>
              <Table.Td visibleFrom="sm">{grant?.reference ?? <None />}</Table.Td>
              <Table.Td ta="right">
                <Amount value={amount} unit={unit} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
