// Writes src/graphql/generated from the api's schema and the operations in src/graphql/*.graphql: types.ts holds the types of all operations, and each
// file of operations gets a module of its own with ready syntax trees, so that a page's chunk carries its own operations and no GraphQL parser.
// persisted-operations.json lists every operation by the SHA-256 of its text. In production the api runs these and no others for a person's session.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codegen } from '@graphql-codegen/core';
import * as operationTypes from '@graphql-codegen/typescript-operations';
import { buildASTSchema, isAbstractType, Kind, parse, print, validate, visit } from 'graphql';

const here = fileURLToPath(new URL('.', import.meta.url));
const source = join(here, 'src/graphql');
const target = join(source, 'generated');

const TYPENAME = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };
const isTypename = (selection) => selection.kind === Kind.FIELD && selection.name.value === '__typename';

/** Apollo's cache asks for `__typename` in every object; a document that has them already is sent as it stands, so its hash is known here. */
const withTypenames = (document) =>
  visit(document, {
    SelectionSet(node, _key, parent) {
      if (parent?.kind === Kind.OPERATION_DEFINITION || node.selections.some(isTypename)) return undefined;
      return { ...node, selections: [...node.selections, TYPENAME] };
    },
  });

const files = readdirSync(source)
  .filter((name) => name.endsWith('.graphql'))
  .sort()
  .map((name) => ({ name: basename(name, '.graphql'), document: withTypenames(parse(readFileSync(join(source, name), 'utf8'), { noLocation: true })) }));

const definitions = files.flatMap(({ document }) => document.definitions);
const fragments = new Map(definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).map((definition) => [definition.name.value, definition]));

const schema = parse(readFileSync(join(here, '../api/schema.graphql'), 'utf8'));
const types = buildASTSchema(schema);
const problems = validate(types, { kind: Kind.DOCUMENT, definitions });
if (problems.length > 0) {
  process.stderr.write(`The console's operations do not fit the api's schema:\n${problems.map(({ message }) => `  ${message}`).join('\n')}\n`);
  process.exit(1);
}

/** The types behind each interface and union, by which Apollo's cache knows that a fragment on an interface fits. */
const possibleTypes = Object.fromEntries(
  Object.values(types.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, types.getPossibleTypes(type).map(({ name }) => name)]),
);

/** The fragments that a definition needs, directly or through others. */
const fragmentsOf = (definition, found = new Set()) => {
  visit(definition, {
    FragmentSpread({ name }) {
      if (found.has(name.value)) return;
      found.add(name.value);
      fragmentsOf(fragments.get(name.value), found);
    },
  });
  return found;
};

const typesText = await codegen({
  schema,
  filename: 'types.ts',
  documents: files.map(({ name, document }) => ({ location: name, document })),
  plugins: [{ operations: {} }],
  pluginMap: { operations: operationTypes },
  config: {
    scalars: { ID: 'string', DateTime: 'string', Decimal: 'string', JSON: 'unknown' },
    strictScalars: true,
    enumType: 'string-literal',
    nonOptionalTypename: false,
    skipTypename: true,
    useTypeImports: true,
  },
});

const manifest = [];
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
write('types.ts', typesText);
write('possible-types.ts', `export const possibleTypes: Record<string, string[]> = ${JSON.stringify(possibleTypes)};\n`);
for (const { name, document } of files) {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length > 0) write(`${name}.ts`, operations.map(emit).join('\n'), "import type { TypedDocumentNode } from '@apollo/client';\nimport type * as Types from './types.ts';\n\n");
}
write('persisted-operations.json', `${JSON.stringify(Object.fromEntries(manifest), null, 1)}\n`);

function emit(operation) {
  const document = { kind: Kind.DOCUMENT, definitions: [operation, ...[...fragmentsOf(operation)].map((name) => fragments.get(name))] };
  const body = print(document);
  const id = createHash('sha256').update(body).digest('hex');
  const name = operation.name.value;
  const suffix = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' }[operation.operation];
  manifest.push([id, body]);
  const tree = JSON.stringify({ ...document, __meta__: { hash: id } });
  return `export const ${name}Document = ${tree} as unknown as TypedDocumentNode<Types.${name}${suffix}, Types.${name}${suffix}Variables>;\n`;
}

function write(name, text, head = '') {
  const path = join(target, name);
  const whole = name.endsWith('.json') ? text : `// Written by generate.mjs.\n${head}${text}`;
  if (!existsSync(path) || readFileSync(path, 'utf8') !== whole) writeFileSync(path, whole);
}
