// A loader's hook (node:module, `register`): writes the address of every module that is imported to LOADED_FILE.
import { appendFileSync } from 'node:fs';

export async function load(url, context, nextLoad) {
  appendFileSync(process.env.LOADED_FILE, `${url}\n`);
  return nextLoad(url, context);
}
