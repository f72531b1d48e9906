import { useQuery } from '@apollo/client/react';
import { Tabs } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Snippet } from '../../components/copy.tsx';
import { ApiKeyChoicesDocument } from '../../graphql/generated/api-keys.ts';
import { useOrganization } from '../../session/organization.tsx';
import { readGatewayUrl } from '../../session/gateway-url.ts';

/** A first request with the new key, ready to be copied. */
export function UseKey({ secret }: { readonly secret: string }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const { data } = useQuery(ApiKeyChoicesDocument, { variables: { organizationId: id } });
  const gatewayUrl = readGatewayUrl();
  const model = data?.organization?.models[0]?.id ?? 'MODEL';
  const curl = `curl ${gatewayUrl}/chat/completions \\\n  -H 'authorization: Bearer ${secret}' \\\n  -H 'content-type: application/json' \\\n  -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'`;
  const node = `import OpenAI from 'openai';\n\nconst client = new OpenAI({ baseURL: '${gatewayUrl}', apiKey: '${secret}' });\nconst answer = await client.chat.completions.create({\n  model: '${model}',\n  messages: [{ role: 'user', content: 'Hello' }],\n});\nconsole.log(answer.choices[0].message.content);`;
  const python = `from openai import OpenAI\n\nclient = OpenAI(base_url="${gatewayUrl}", api_key="${secret}")\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)`;
  return (
    <Tabs defaultValue="curl" variant="default">
      <Tabs.List aria-label={t('keys.examples')}>
        <Tabs.Tab value="curl">curl</Tabs.Tab>
        <Tabs.Tab value="node">Node.js</Tabs.Tab>
        <Tabs.Tab value="python">Python</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="curl" pt="sm">
        <Snippet label="curl" text={curl} />
      </Tabs.Panel>
      <Tabs.Panel value="node" pt="sm">
        <Snippet label="Node.js" text={node} />
      </Tabs.Panel>
      <Tabs.Panel value="python" pt="sm">
        <Snippet label="Python" text={python} />
      </Tabs.Panel>
    </Tabs>
  );
}
