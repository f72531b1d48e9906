import type { Command } from 'commander';
import { rotateSecrets } from '@kilotoken/people';
import { addCommand, type Context } from './context.js';

export const addSecretCommands = (secrets: Command, context: Context): void => {
  addCommand(secrets, 'rotate', 'encrypt all stored secrets under the first key of KILOTOKEN_SECRET_KEY', async (command) => {
    const keyring = context.keyring();
    const { webhookSecrets, secondFactors, waitingMails } = await rotateSecrets(context.owner, keyring);
    context.printRow(command, { key: keyring.currentId, webhookSecrets, secondFactors, waitingMails });
  });
};
