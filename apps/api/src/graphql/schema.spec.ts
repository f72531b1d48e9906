import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema as readSchema, findBreakingChanges, isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType, isSpecifiedScalarType, type GraphQLSchema } from 'graphql';
import { buildSchema, schemaText } from './schema.js';

const read = (name: string): string => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');

let schema: GraphQLSchema;

beforeAll(async () => {
  schema = await buildSchema();
});

describe('the schema', () => {
  it('is the committed one; `npm run schema` writes it', () => {
    expect(schemaText(schema)).toBe(read('schema.graphql'));
  });

  it('breaks nothing that the last release promised', () => {
    // The file of the last release takes the place of this one when a release is made.
    expect(findBreakingChanges(readSchema(read('schema.released.graphql')), schema)).toEqual([]);
  });

  it('describes every type, field, argument and value', () => {
    const missing: string[] = [];
    const check = (name: string, { description }: { description?: string | null | undefined }): void => {
      if (!description || !/[.:]$|`$/.test(description.trim())) missing.push(name);
    };
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || isSpecifiedScalarType(type) || ['Query', 'Mutation', 'Subscription'].includes(type.name)) continue;
      check(type.name, type);
      if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    }
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || !(isObjectType(type) || isInterfaceType(type) || isInputObjectType(type))) continue;
      for (const field of Object.values(type.getFields())) {
        check(`${type.name}.${field.name}`, field);
        if ('args' in field) for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument);
      }
    }
    expect(missing).toEqual([]);
  });
});
