import { describeFinding, openAuditPool, runReconcile } from '@kilotoken/reconcile';

/**
 * Tests of processes set the clock of their databases, back too, and plant triggers that make Postgres fail. So moments and guards may differ
 * there for a good reason; libs/reconcile proves both checks by itself.
 */
const isOfTheTest = (check: string): boolean => check === 'guards' || check.endsWith('-period') || check === 'lease-idle';

/** Throws with every finding of `npm run reconcile` in words: what operators run must agree with what tests check. */
export const expectReconciled = async (ownerUrl: string): Promise<void> => {
  const pool = openAuditPool(ownerUrl);
  try {
    const { checks } = await runReconcile(pool);
    const found = checks.filter(({ name }) => !isOfTheTest(name)).flatMap((result) => result.findings.map((finding) => `  ${describeFinding(result, finding)}`));
    if (found.length > 0) throw new Error(`reconcile found ${found.length}:\n${found.join('\n')}`);
  } finally {
    await pool.end();
  }
};
