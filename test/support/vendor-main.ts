import { parseArgs } from 'node:util';
import { startVendor } from './vendor.js';

/** The stand-in as a process of its own: prints its address as one line of JSON and runs until it is signalled. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, host: { type: 'string', default: '127.0.0.1' }, log: { type: 'string' }, key: { type: 'string' } } });

const vendor = await startVendor({
  port: Number(values.port),
  host: values.host,
  ...(values.log === undefined ? {} : { logFile: values.log }),
  ...(values.key === undefined ? {} : { key: values.key }),
});
process.stdout.write(`${JSON.stringify({ baseUrl: vendor.baseUrl })}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void vendor.close().then(() => process.exit(0)));
