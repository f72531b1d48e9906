import { describeFinding, type CheckResult, type Estimates, type EstimateSide, type ReconcileReport } from '@kilotoken/reconcile';

/** The report as text for people. */
const count = (number: number): string => number.toLocaleString('en-US');
const plural = (number: number, one: string, many = `${one}s`): string => `${count(number)} ${number === 1 ? one : many}`;

/** One line per check, printed as soon as the check is done. */
export const checkLine = ({ name, invariant, says, subjects, checked, found, elapsedMs }: CheckResult): string =>
  `${found === 0 ? 'ok   ' : 'FOUND'}  ${invariant.padEnd(3)}  ${name.padEnd(17)}  ${`${count(checked)} ${subjects}`.padEnd(34)}  ${(elapsedMs / 1000).toFixed(1).padStart(6)} s  ${says}\n`;

export const headLine = ({ organization, from, to }: { organization?: string | null; from?: Date | null; to?: Date | null }): string =>
  `Reconciling ${organization ?? 'all organizations'}${from ? `, from ${from.toISOString()}` : ''}${to ? `, before ${to.toISOString()}` : ''}\n\n`;

const findingLines = (check: CheckResult): string[] => [
  ...check.findings.map((finding) => `  ${describeFinding(check, finding)}`),
  ...(check.found > check.findings.length ? [`  ... and ${count(check.found - check.findings.length)} more of ${check.name} (--findings lists more)`] : []),
  `  What to do: ${check.advice}`,
];

const inFlightLines = ({ inFlight }: ReconcileReport): string[] => {
  const { openLeases, leased, openRequests, unratedFlushes, unratedRows, unratedOldestSeconds, sessions, sessionsSilent, quarantined, defaultPartitionRows, archivedRows, droppedRows } = inFlight;
  const amounts = Object.entries(leased).map(([unit, amount]) => `${amount} ${unit}`);
  const reasons = Object.entries(quarantined).map(([reason, rows]) => `${reason} ${count(rows)}`);
  return [
    `  ${plural(sessions, 'session')}, ${plural(openLeases, 'open lease')}${amounts.length > 0 ? ` of ${amounts.join(', ')}` : ''}, ${plural(openRequests, 'open request')}`,
    `  ${plural(unratedFlushes, 'unrated flush', 'unrated flushes')} with ${plural(unratedRows, 'row')}${unratedFlushes > 0 ? `, the oldest ${unratedOldestSeconds.toFixed(1)} s old` : ''}`,
    ...(sessionsSilent > 0 ? [`  ${plural(sessionsSilent, 'session')} without a heartbeat for a minute: check that metering, which reaps them, is running`] : []),
    ...(reasons.length > 0 ? [`  in quarantine (npm run kt -- quarantine list): ${reasons.join(', ')}`] : []),
    ...(defaultPartitionRows > 0 ? [`  ${plural(defaultPartitionRows, 'usage row')} in usage_default: no partition covers the time of their ids (a clock is far off, or partitions were not made ahead)`] : []),
    ...(archivedRows > 0 ? [`  ${plural(archivedRows, 'usage row')} exported and detached: the database has only their sums`] : []),
    ...(droppedRows > 0 ? [`  ${plural(droppedRows, 'usage row')} of them dropped with their seals: only their files prove single rows and requests`] : []),
  ];
};

const archiveLines = ({ archives: { files, rows, unread } }: ReconcileReport): string[] => [
  ...(files > 0 ? [`\nArchive: ${plural(files, 'file')} with ${plural(rows, 'row')} read`] : unread.length > 0 ? ['\nArchive: no file was read'] : []),
  ...unread.map(({ partition, file, reason }) => `  not read: ${partition} in ${file}: ${reason}`),
];

const estimateLines = ({ over, under, equalRows, first }: Estimates): string[] => {
  const side = ({ rows, promptTokens, outputTokens, money }: EstimateSide, what: string): string[] => {
    const amounts = Object.entries(money).map(([unit, amount]) => `${amount.replace('-', '')} ${unit}`);
    return rows === 0 ? [] : [`    ${plural(rows, 'row')} paid ${amounts.join(', ')} too ${what} (${promptTokens} + ${outputTokens} tokens against the vendor's)`];
  };
  return [
    `  ${plural(over.rows + under.rows + equalRows, 'row')} with estimated counts, compared with the vendor's: ${count(equalRows)} equal`,
    ...side(over, 'much'),
    ...side(under, 'little'),
    ...first.map(({ place, expected, found }) => `      usage ${place['usage']}, ${place['outcome']}: vendor ${expected}, billed ${found}`),
  ];
};

const logLines = ({ logs }: ReconcileReport): string[] => {
  if (!logs) return [];
  const { clientEntries, vendorEntries, tooRecent, estimates, vendorOnly } = logs;
  const read = [...(clientEntries === null ? [] : [`${plural(clientEntries, 'line')} of clients`]), ...(vendorEntries === null ? [] : [`${plural(vendorEntries, 'line')} of vendors`])];
  return [
    `\nLogs: ${read.join(', ')}`,
    ...(estimates ? estimateLines(estimates) : []),
    ...(tooRecent > 0 ? [`  ${plural(tooRecent, 'row')} settled too recently to be in the vendor's log`] : []),
    ...(vendorOnly && vendorOnly.entries > 0
      ? [
          `  our cost: ${plural(vendorOnly.entries, 'answer')} of vendors without a usage row, ${vendorOnly.promptTokens} + ${vendorOnly.outputTokens} tokens:`,
          ...vendorOnly.first.map(({ place, found }) => `    ${place['file']}, line ${place['line']}: ${place['upstream']} of request ${place['request'] ?? 'unknown'}, ${found}`),
        ]
      : []),
  ];
};

/** The text below the checks. */
export const closingLines = (report: ReconcileReport): string => {
  const broken = report.checks.filter(({ found }) => found > 0);
  const total = broken.reduce((sum, { found }) => sum + found, 0);
  return [
    `\nRunning at ${report.snapshotAt} (not findings):`,
    ...inFlightLines(report),
    ...archiveLines(report),
    ...logLines(report),
    ...(broken.length > 0 ? ['\nFindings:', ...broken.flatMap(findingLines)] : []),
    `\n${broken.length === 0 ? 'The books hold' : `${plural(total, 'finding')} of ${plural(broken.length, 'check')}`}: ${plural(report.checks.length, 'check')} in ${(report.elapsedMs / 1000).toFixed(1)} s.\n`,
  ].join('\n');
};
