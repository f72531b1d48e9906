import { hasHistory } from '../demo/catalogue.js';
import type { Home } from './home.js';
import type { Quickstart } from './quickstart.js';
import type { Terminal } from './terminal.js';

/** Prints the addresses, and a request to try. */
export function printSummary(terminal: Terminal, home: Home, quickstart: Quickstart, elapsedMs: number): void {
  const { bold, dim } = terminal;
  const row = (name: string, text: string) => terminal.line(`  ${name.padEnd(12)} ${text}`);
  terminal.line();
  terminal.line(`  ${bold('Kilotoken is running')} ${dim(`after ${(elapsedMs / 1000).toFixed(1)} s. Ctrl-C stops it.`)}`);
  terminal.line();
  row('gateway', bold(quickstart.gatewayUrl));
  row('console', bold(quickstart.consoleUrl));
  row('models', quickstart.models.join(', ') || dim('none yet: set KILOTOKEN_LANES to a lanes file'));
  row('keys', quickstart.apiKey ? home.quickstartFile : dim('create one: npm run kt -- keys create --help'));
  row('logs', home.logs);
  if (quickstart.apiKey && !hasHistory(quickstart.models)) row('history', dim('none yet: npm run demo -- --fresh fills the console with 90 days of it'));
  if (quickstart.users.length > 0) {
    terminal.line();
    terminal.line('  Sign in to the console as:');
    terminal.line();
    for (const { role, email, password } of quickstart.users) terminal.line(`    ${role.padEnd(14)} ${email.padEnd(32)} ${password}`);
  }
  const { model } = quickstart;
  if (quickstart.apiKey && model) {
    terminal.line();
    terminal.line('  Try it:');
    terminal.line();
    terminal.line(`    curl ${quickstart.gatewayUrl}/chat/completions \\`);
    terminal.line(`      -H 'Authorization: Bearer ${quickstart.apiKey}' -H 'Content-Type: application/json' \\`);
    terminal.line(`      -d '${JSON.stringify({ model, messages: [{ role: 'user', content: 'What is a kilowatt-hour?' }] })}'`);
  }
  terminal.line();
}
