import type { Command } from 'commander';
import { findMissingModels } from '@kilotoken/marketplace';
import type { Context } from './context.js';

/** A model may be listed after the key or grant that names it, so it is no mistake for sure; a typing error is the more likely one. */
export const warnOfMissingModels = async (command: Command, context: Context, modelIds: readonly string[] | null): Promise<void> => {
  const missing = modelIds === null ? [] : await findMissingModels(context.reader, modelIds);
  if (missing.length === 0) return;
  context.warn(command, `${missing.length === 1 ? 'no model for sale is called' : 'no models for sale are called'} ${missing.join(', ')}. \`models list\` shows those that are.`);
};
