// npm start: from a clone to a running Kilotoken. This file needs only Node. It installs and builds the launcher
// (tools/src/launcher) and hands over to it in the same process.
import { endWithNpm } from './interruption.mjs';
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { explainArguments } from './start-arguments.mjs';
import { createTerminal } from './terminal.mjs';

const HELP = `
Usage: npm start

Starts Kilotoken: installs and builds missing parts, runs Postgres (unless DATABASE_URL is set), migrates the database,
and starts and supervises gateway, api, metering, backoffice and inference-worker. Ctrl-C or SIGTERM stops everything
after running requests have ended; a second one stops at once.

Settings are environment variables; an empty one counts as not set. The last column is the default.

  KILOTOKEN_HOME               data folder: database, model, keys, logs               .kilotoken
  HOST                         address that all processes bind to                     127.0.0.1
  GATEWAY_PORT                 OpenAI-compatible gateway                              8080
  API_PORT                     console, GraphQL API and sign-in                       8081
  METERING_PORT                metering (internal)                                    8082
  BACKOFFICE_PORT              backoffice (internal)                                  8083
  WORKER_PORT                  inference worker (internal)                            8084
  GATEWAY_METRICS_PORT         Prometheus metrics of the gateway (internal)           8085
  API_METRICS_PORT             Prometheus metrics of the api (internal)               8086
  POSTGRES_PORT                embedded Postgres                                      a free port, kept
  DATABASE_URL                 owner's login of your own Postgres 18 or newer         embedded
  APP_DATABASE_URL             one login for all services, if you manage logins       made for you
  AUDIT_DATABASE_URL           … for the nightly proof of the books                   made for you
  CONTROL_DATABASE_URL         … for the control plane (kt)                           made for you
  GATEWAY_DATABASE_URL         … for the gateway alone                                made for you
  METERING_DATABASE_URL        … for metering alone                                   made for you
  BACKOFFICE_DATABASE_URL      … for backoffice alone                                 made for you
  API_DATABASE_URL             … for the api alone                                    made for you
  REDIS_URL                    queues in Redis instead of Postgres                    Postgres
  SMTP_URL                     mail server; without one, mails become files           none
  API_PUBLIC_URL               address of the console in browsers                     http://127.0.0.1:8081
  KILOTOKEN_SECRET_KEY         encrypts stored secrets: the newest key, older ones     made for you
  KILOTOKEN_DEMO               1 creates the demo organizations and keys, 0 does not  1, or 0 with DATABASE_URL
  KILOTOKEN_LANES              YAML file of models and lanes                          none
  KILOTOKEN_MODEL_PATH         local model: a GGUF file, an hf: URI, or loopback      SmolLM2-135M-Instruct
  KILOTOKEN_GPU                cuda, vulkan or metal, for the local model             CPU
  WORKER_CONTEXT_TOKENS        context window of the local model                      2048
  WORKER_ENGINE_URL            server with OpenAI's API (vLLM, SGLang, …) to sell     none
  WORKER_ENGINE_MODEL          name of the model on that server; required with it     none
  WORKER_ENGINE_MODEL_ID       name to sell the model under                           the server's
  WORKER_ENGINE_KEY            API key of the server                                  none
  WORKER_ENGINE_CONTEXT_TOKENS context window of the model                            8192
  WORKER_ENGINE_INPUT_PRICE    sale price in USD per million input tokens             0.10
  WORKER_ENGINE_OUTPUT_PRICE   sale price in USD per million output tokens            0.40
  DRAIN_MS                     milliseconds that running requests get at a stop       25000
  LOG_LEVEL                    log level of all processes                             info

All other variables, such as vendors' keys, are passed on to the processes; .env.example lists every setting.
<KILOTOKEN_HOME>/quickstart.json has the addresses, and the demo's keys and sign-ins.
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
