import * as z from 'zod';
import { jsonShapes } from '@kilotoken/contracts';

export type JsonSchema = Record<string, unknown>;

/**
 * What a schema accepts, as JSON Schema 2020-12, which is OpenAPI 3.1's. Rules between parameters have no words there: the
 * document says what is refused in any case, and the gateway may refuse more.
 */
export const acceptedBy = (schema: z.ZodType): JsonSchema => describe(schema, 'input');

/** What a schema of an answer says. */
export const answeredAs = (schema: z.ZodType): JsonSchema => describe(schema, 'output');

const describe = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema, ...described } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const shape = jsonShapes.get(zodSchema);
      if (shape) Object.assign(jsonSchema, shape((within) => describe(within, io)));
    },
  });
  void $schema;
  return described;
};
