import { describeFinding, openAuditPool, runReconcile } from '@kilotoken/reconcile';

/** Throws with every finding of `npm run reconcile` in words: what operators run must agree with what tests check. */
export const expectReconciled = async (ownerUrl: string): Promise<void> => {
  const pool = openAuditPool(ownerUrl);
  try {
    const { holds, checks } = await runReconcile(pool);
    if (holds) return;
    const found = checks.flatMap((result) => result.findings.map((finding) => `  ${describeFinding(result, finding)}`));
    throw new Error(`reconcile found ${found.length}:\n${found.join('\n')}`);
  } finally {
    await pool.end();
  }
};
