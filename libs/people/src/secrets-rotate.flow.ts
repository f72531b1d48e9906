import { personMailPurpose, resealWebhookSecrets } from '@kilotoken/events';
import { inTransaction, type Db, type Keyring } from '@kilotoken/platform';
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto';
import type { Pool } from 'pg';
import { keyVersionOf, signInUse } from './sign-in.js';

export interface RotatedSecrets {
  readonly webhookSecrets: number;
  readonly secondFactors: number;
  readonly waitingMails: number;
}

/**
 * Encrypts all that is stored encrypted under the first key of the keyring, and webhooks' secrets that are plain yet, in one transaction of the owner.
 * Repeating it changes nothing more. Afterwards the other keys open nothing that is left, and may go.
 */
export const rotateSecrets = (owner: Pool, keyring: Keyring): Promise<RotatedSecrets> =>
  inTransaction(owner, async (db) => ({
    webhookSecrets: await resealWebhookSecrets(db, keyring),
    secondFactors: await resealSecondFactors(db, keyring),
    waitingMails: await resealMails(db, keyring),
  }));

/** better-auth's own encryption (XChaCha20-Poly1305), whose text names the key by a number. */
const resealSecondFactors = async (db: Db, keyring: Keyring): Promise<number> => {
  const keys = keyring.derive(signInUse).map(({ id, secret }) => [keyVersionOf(id), secret] as const);
  const key = { keys: new Map(keys), currentVersion: keys[0]![0] };
  const { rows } = await db.query<{ id: string; secret: string; codes: string }>('SELECT id, secret, backup_codes AS codes FROM second_factor ORDER BY id FOR UPDATE');
  const old = rows.filter(({ secret, codes }) => [secret, codes].some((text) => !text.startsWith(`$ba$${key.currentVersion}$`)));
  const renew = async (text: string): Promise<string> => symmetricEncrypt({ key, data: await symmetricDecrypt({ key, data: text }) });
  for (const { id, secret, codes } of old) await db.query('UPDATE second_factor SET secret = $2, backup_codes = $3 WHERE id = $1', [id, await renew(secret), await renew(codes)]);
  return old.length;
};

const resealMails = async (db: Db, keyring: Keyring): Promise<number> => {
  const { rows } = await db.query<{ organizationId: string; id: string; sealed: string }>(
    `SELECT organization_id AS "organizationId", id, payload ->> 'sealed' AS sealed FROM outbox_job WHERE queue = 'mail-person' AND status <> 'done' ORDER BY id FOR UPDATE`,
  );
  const old = rows.filter(({ sealed }) => !keyring.isCurrent(sealed));
  for (const { organizationId, id, sealed } of old) {
    const renewed = keyring.seal(keyring.open(sealed, personMailPurpose), personMailPurpose);
    await db.query(`UPDATE outbox_job SET payload = jsonb_build_object('sealed', $3::text) WHERE organization_id = $1 AND id = $2`, [organizationId, id, renewed]);
  }
  return old.length;
};
