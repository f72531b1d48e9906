import type { Command } from 'commander';
import { findMissingModels } from '@kilotoken/marketplace';
import type { Context } from './context.js';

/** Warns and does not refuse: a model may be listed after the key or grant that names it, but a typing error is more likely. */
export const warnOfMissingModels = async (command: Command, context: Context, modelIds: readonly string[] | null): Promise<void> => {
  const missing = modelIds === null ? [] : await findMissingModels(context.reader, modelIds);
  if (missing.length === 0) return;
  context.warn(command, `${missing.length === 1 ? 'no model for sale is called' : 'no models for sale are called'} ${missing.join(', ')}. \`models list\` shows the models for sale.`);
};
