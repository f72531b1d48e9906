import { useApolloClient } from '@apollo/client/react';
import { Badge, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Panel } from '../../components/page.tsx';
import { useViewer } from '../../session/viewer.tsx';
import { EndTwoFactor, RenewCodes, SetUpTwoFactor } from './two-factor-dialogs.tsx';

type Dialog = 'setUp' | 'end' | 'renew';

export function TwoFactorPanel() {
  const { t } = useTranslation();
  const client = useApolloClient();
  const { twoFactorEnabled } = useViewer();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => {
    setDialog(null);
    void client.refetchQueries({ include: ['Viewer'] });
  };
  return (
    <Panel title={t('twoFactor.title')} actions={twoFactorEnabled ? <Badge color="teal">{t('twoFactor.on')}</Badge> : <Badge color="gray">{t('twoFactor.off')}</Badge>}>
      <Text size="sm" className="quiet" mb="sm">
        {twoFactorEnabled ? t('twoFactor.onText') : t('twoFactor.offText')}
      </Text>
      <Group gap="xs">
        {twoFactorEnabled ? (
          <>
            <Button variant="default" onClick={() => setDialog('renew')}>
              {t('twoFactor.renew')}
            </Button>
            <Button variant="default" onClick={() => setDialog('end')}>
              {t('twoFactor.end')}
            </Button>
          </>
        ) : (
          <Button onClick={() => setDialog('setUp')}>{t('twoFactor.setUp')}</Button>
        )}
      </Group>
      {dialog === 'setUp' && <SetUpTwoFactor onClose={close} />}
      {dialog === 'end' && <EndTwoFactor onClose={close} />}
      {dialog === 'renew' && <RenewCodes onClose={close} />}
    </Panel>
  );
}
