import { useApolloClient, useMutation } from '@apollo/client/react';
import { Button, Group, Text } from '@mantine/core';
import { Eye } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { EndImpersonationDocument } from '../graphql/generated/viewer.ts';
import { useViewer } from '../session/viewer.tsx';

/** While staff look at a customer's pages, every page says so and how to end it. */
export function ImpersonationBanner() {
  const { t } = useTranslation();
  const { impersonating } = useViewer();
  const client = useApolloClient();
  const navigate = useNavigate();
  const [end, { loading }] = useMutation(EndImpersonationDocument);
  if (!impersonating) return null;
  const leave = async (): Promise<void> => {
    await end();
    await navigate('/staff/organizations');
    await client.resetStore();
  };
  return (
    <Group component="aside" role="status" bg="yellow.3" c="black" px="md" py={6} gap="sm" justify="center" style={{ position: 'sticky', top: 0, zIndex: 50 }}>
      <Eye size={16} aria-hidden="true" />
      <Text size="sm" fw={500}>
        {t('impersonation.banner', { name: impersonating.name })}
      </Text>
      <Button size="compact-sm" color="dark" loading={loading} onClick={() => void leave()}>
        {t('impersonation.end')}
      </Button>
    </Group>
  );
}
