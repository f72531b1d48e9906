import * as z from 'zod';
import { jsonShapes } from '@kilotoken/contracts';

export type JsonSchema = Record<string, unknown>;

/**
 * Describes a schema's input as JSON Schema 2020-12, which is OpenAPI 3.1's. It cannot express rules between parameters, so the
 * gateway may refuse more than the document says.
 */
export const acceptedBy = (schema: z.ZodType): JsonSchema => describe(schema, 'input');

/** Describes the schema of an answer. */
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
