import { Group, Paper, Progress, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Amount } from '../../components/amount.tsx';
import { amountText, shareOf, shortAmount } from '../../format/amount.ts';
import { useLocale } from '../../format/locale.ts';
import { dateText, relativeText } from '../../format/time.ts';
import type { BalanceFieldsFragment } from '../../graphql/generated/types.ts';
import { useOrganization } from '../../session/organization.tsx';

const SOON_DAYS = 7;
const dayMs = 86_400_000;

const isSoon = (at: string): boolean => Date.parse(at) - Date.now() < SOON_DAYS * dayMs;

interface BalanceTileProps {
  readonly balance: BalanceFieldsFragment;
  /** Requests have settled that the burn rate does not hold yet. */
  readonly isFollowing?: boolean;
}

export function BalanceTile({ balance, isFollowing = false }: BalanceTileProps) {
  const { t } = useTranslation();
  const locale = useLocale();
  const { timeZone } = useOrganization();
  const { unit, available, held, used, granted, burnPerDay, runsOutOn } = balance;
  const isBurning = Number(burnPerDay) > 0;
  return (
    <Paper p="md" component="section" aria-label={t('balance.in', { unit })}>
      <Stack gap={6}>
        <Group justify="space-between">
          <Text size="sm" className="quiet" fw={500}>
            {t('balance.in', { unit })}
          </Text>
          {Number(held) > 0 && (
            <Text size="xs" className="quiet">
              {t('balance.held', { amount: amountText(held, unit, locale) })}
            </Text>
          )}
        </Group>
        <Amount value={available} unit={unit} fz={26} fw={600} lh={1.2} />
        <Progress value={100 * shareOf(available, granted)} size={4} aria-label={t('balance.usedOf', { used: amountText(used, unit, locale), granted: amountText(granted, unit, locale) })} />
        <Group justify="space-between" gap={4}>
          <Text size="xs" className="quiet">
            {isBurning ? t('balance.burn', { amount: shortAmount(burnPerDay, unit, locale) }) : t(isFollowing ? 'balance.burnFollows' : 'balance.noBurn')}
          </Text>
          {runsOutOn && (
            <Text size="xs" fw={500} c={isSoon(runsOutOn) ? 'var(--mantine-color-orange-text)' : undefined} className={isSoon(runsOutOn) ? '' : 'quiet'}>
              {t('balance.runsOut', { date: dateText(runsOutOn, locale, timeZone), relative: relativeText(runsOutOn, locale) })}
            </Text>
          )}
        </Group>
      </Stack>
    </Paper>
  );
}
