/** The JSON Schemas of the files of pricing, made of the schemas that read them. */
import { countersFile, grantsFile, priceBookFile, ratingOutput, usageRow } from '@kilotoken/pricing';
import { z } from 'zod';

const files = { 'price-book': priceBookFile, usage: usageRow, grants: grantsFile, counters: countersFile, rating: ratingOutput } as const;

/** Numbers are read from their text, so that a file may write them with quotes or without. */
const numbers: Readonly<Record<string, string>> = {
  Decimal: '^[0-9]{1,26}(\\.[0-9]{1,12})?$',
  Whole: '^[0-9]{1,26}$',
  Percent: '^(100(\\.0{1,12})?|[0-9]{1,2}(\\.[0-9]{1,12})?)$',
  Priority: '^[0-9]{1,5}$',
};

/** The text of each schema by the name of its file in docs/schemas. */
export const publishedSchemas = (): [string, string][] =>
  Object.entries(files).map(([name, schema]) => {
    const published = z.toJSONSchema(schema, {
      io: 'input',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        const pattern = numbers[String(z.globalRegistry.get(zodSchema)?.id)];
        if (pattern !== undefined) Object.assign(jsonSchema, { type: ['string', 'number'], pattern, minimum: 0 });
      },
    });
    return [`${name}.schema.json`, `${JSON.stringify(published, null, 2)}\n`];
  });
