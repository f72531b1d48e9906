// npm start: from a clone to a running Kilotoken. This file needs nothing but Node; it installs and builds what the
// launcher itself is made of (tools/src/launcher) and hands over to it in the same process.
import { endWithNpm } from './interruption.mjs';
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { explainArguments } from './start-arguments.mjs';
import { createTerminal } from './terminal.mjs';

const HELP = `
Usage: npm start

Starts Kilotoken: installs and builds what is missing, runs Postgres (unless DATABASE_URL is set), brings the schema up
to date, and starts and supervises gateway, api, metering, backoffice and inference-worker. Ctrl-C or SIGTERM stops
everything; a second one forces.

Settings are environment variables; an empty one counts as not set.

  KILOTOKEN_HOME               data folder: database, model, keys, logs               .kilotoken
  HOST                         address that all processes bind to                     127.0.0.1
  GATEWAY_PORT                 OpenAI-compatible gateway                              8080
  API_PORT                     the api (health checks alone)                          8081
  METERING_PORT                metering (internal)                                    8082
  BACKOFFICE_PORT              backoffice (internal)                                  8083
  WORKER_PORT                  inference worker (internal)                            8084
  GATEWAY_METRICS_PORT         the gateway's Prometheus metrics (internal)            8085
  API_METRICS_PORT             the api's Prometheus metrics (internal)                8086
  POSTGRES_PORT                embedded Postgres                                      a free one, kept
  DATABASE_URL                 a Postgres 18 or newer to use, as its owner            embedded
  APP_DATABASE_URL             the applications' login, if you manage it yourself     made for you
  AUDIT_DATABASE_URL           the login that proves the books, likewise              made for you
  CONTROL_DATABASE_URL         the control plane's login, which kt uses, likewise     made for you
  GATEWAY_DATABASE_URL         the gateway's own login, if you manage it yourself     made for you
  METERING_DATABASE_URL        metering's, likewise                                   made for you
  BACKOFFICE_DATABASE_URL      backoffice's, likewise                                 made for you
  API_DATABASE_URL             the api's, likewise                                    made for you
  REDIS_URL                    queues in Redis instead of Postgres                    Postgres
  KILOTOKEN_DEMO               1: demo organizations and keys also with DATABASE_URL  with the embedded one
  KILOTOKEN_LANES              YAML file of further models and lanes                  none
  KILOTOKEN_MODEL_PATH         the model in process: GGUF file, hf: URI, or loopback  SmolLM2-135M-Instruct
  KILOTOKEN_GPU                cuda, vulkan or metal                                  CPU
  WORKER_CONTEXT_TOKENS        prompt and answer of the local model, at most          2048
  WORKER_ENGINE_URL            a server with OpenAI's API (vLLM, SGLang, …) to sell   none
  WORKER_ENGINE_MODEL          its model's name there; needed with the URL            none
  WORKER_ENGINE_MODEL_ID       the name to sell it under                              the server's
  WORKER_ENGINE_KEY            the server's key, where it wants one                   none
  WORKER_ENGINE_CONTEXT_TOKENS prompt and answer of it, at most                       8192
  WORKER_ENGINE_INPUT_PRICE    USD a million tokens of prompts that it is sold for    0.10
  WORKER_ENGINE_OUTPUT_PRICE   … and of answers                                       0.40
  DRAIN_MS                     how long running requests may go on at the end         25000
  LOG_LEVEL                    of all processes                                       info

Vendors' keys and the settings of single processes are handed on: .env.example has all of them.
Where everything is, and the keys of the demo: <KILOTOKEN_HOME>/quickstart.json
`;

const words = process.argv.slice(2);
if (words.some((word) => ['--help', '-h', 'help'].includes(word))) {
  process.stdout.write(HELP);
  process.exit(0);
}
const terminal = createTerminal();
const settings = [...HELP.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name);
const refusal = explainArguments(words, settings, process.env);
if (refusal !== null) {
  terminal.problem(refusal);
  process.exit(1);
}
endWithNpm();
terminal.line(`\n${terminal.bold('Kilotoken')}\n`);
try {
  await prepareWorkspace(terminal);
} catch (error) {
  terminal.problem(explainProblem(error));
  process.exit(1);
}
const { launch } = await import('./dist/launcher/main.js');
await launch(terminal);
