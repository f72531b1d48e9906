import { useQuery } from '@apollo/client/react';
import { Button, Grid, NumberInput, Select, Stack, Textarea } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Page, Panel } from '../../components/page.tsx';
import { ErrorState } from '../../components/states.tsx';
import { PlaygroundChoicesDocument } from '../../graphql/generated/playground.ts';
import { useOrganization } from '../../session/organization.tsx';
import { Conversation } from './conversation.tsx';
import { useChat } from './use-chat.ts';

const USUAL_TOKENS = 512;

export default function PlaygroundPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const { data, error, refetch } = useQuery(PlaygroundChoicesDocument, { variables: { organizationId: id } });
  // The model that was chosen last in this browser; else the first of the api's list.
  const [modelId, setModelId] = useLocalStorage<string | null>({ key: `kilotoken-playground-model-${id}`, defaultValue: null, getInitialValueInEffect: false });
  const [projectId, setProjectId] = useState<string | null>(null);
  const [system, setSystem] = useState('');
  const [maxTokens, setMaxTokens] = useState<number>(USUAL_TOKENS);
  const chat = useChat();
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  const models = data?.organization?.models ?? [];
  const projects = (data?.organization?.projects.nodes ?? []).filter(({ archivedAt }) => archivedAt === null);
  const model = models.find((candidate) => candidate.id === modelId) ?? models[0];
  const project = projects.find((candidate) => candidate.id === projectId) ?? projects[0];
  return (
    <Page
      title={t('playground.title')}
      description={t('playground.description')}
      actions={
        <Button variant="default" disabled={chat.turns.length === 0 || chat.busy} onClick={chat.clear}>
          {t('playground.clear')}
        </Button>
      }
    >
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }} order={{ base: 2, md: 1 }}>
          <Conversation chat={chat} model={model} onSend={project && model ? (text) => chat.send({ projectId: project.id, model: model.id, system, maxTokens, text }) : undefined} />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }} order={{ base: 1, md: 2 }}>
          <Panel title={t('playground.settings')}>
            <Stack gap="sm">
              <Select label={t('common.model')} searchable allowDeselect={false} data={models.map((candidate) => candidate.id)} value={model?.id ?? null} onChange={setModelId} />
              <Select label={t('common.project')} allowDeselect={false} data={projects.map((candidate) => ({ value: candidate.id, label: candidate.name }))} value={project?.id ?? null} onChange={setProjectId} nothingFoundMessage={t('keys.noProject')} />
              <NumberInput label={t('playground.maxTokens')} min={1} max={model?.maxOutputTokens ?? USUAL_TOKENS} clampBehavior="blur" allowDecimal={false} value={maxTokens} onChange={(value) => setMaxTokens(Number(value) || USUAL_TOKENS)} />
              <Textarea label={t('playground.system')} autosize minRows={3} maxRows={8} value={system} onChange={(event) => setSystem(event.currentTarget.value)} />
            </Stack>
          </Panel>
        </Grid.Col>
      </Grid>
    </Page>
  );
}
