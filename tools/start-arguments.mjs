// npm start takes no options: its settings are environment variables. It refuses an option and names the setting that was probably meant.
// Plain JavaScript without dependencies, because it runs before anything is installed.

/** Names that other programs have for a setting. */
const MEANT = {
  port: 'GATEWAY_PORT',
  bind: 'HOST',
  address: 'HOST',
  listen: 'HOST',
  home: 'KILOTOKEN_HOME',
  data: 'KILOTOKEN_HOME',
  data_dir: 'KILOTOKEN_HOME',
  dir: 'KILOTOKEN_HOME',
  model: 'KILOTOKEN_MODEL_PATH',
  model_path: 'KILOTOKEN_MODEL_PATH',
  gpu: 'KILOTOKEN_GPU',
  lanes: 'KILOTOKEN_LANES',
  engine: 'WORKER_ENGINE_URL',
  engine_url: 'WORKER_ENGINE_URL',
  demo: 'KILOTOKEN_DEMO',
  database: 'DATABASE_URL',
  db: 'DATABASE_URL',
  redis: 'REDIS_URL',
  drain: 'DRAIN_MS',
};
/** Values to show for options without one. */
const EXAMPLES = { HOST: '0.0.0.0', KILOTOKEN_HOME: '<folder>', KILOTOKEN_GPU: 'cuda', KILOTOKEN_DEMO: '1', DRAIN_MS: '25000', LOG_LEVEL: 'debug' };

/**
 * Returns the refusal's text, or null without options. npm consumes options that have no `--` before them: `npm start --port 9999` arrives as
 * npm_config_port=true and the word 9999, `--port=9999` as npm_config_port=9999 alone.
 */
export function explainArguments(words, settings, environment) {
  const written = readOptions([...npmOptions(settings, environment), ...words], settings);
  if (written.length === 0) return null;
  const meant = written.flatMap(({ setting, value }) => (setting ? [`${setting}=${quote(value || (EXAMPLES[setting] ?? '<value>'))}`] : []));
  const instead = meant.length === 0 ? '' : ` You probably want:\n\n    ${meant.join(' ')} npm start`;
  return `npm start takes no arguments, but got ${written.map(({ text }) => text).join(' ')}. Its settings are environment variables.${instead}\n\nAll settings: npm start -- --help`;
}

/** Options that npm consumed, as they were written. */
function npmOptions(settings, environment) {
  return [...settings, ...Object.keys(MEANT)].flatMap((setting) => {
    const name = setting.toLowerCase();
    const given = environment[`npm_config_${name}`];
    const option = `--${name.replaceAll('_', '-')}`;
    if (given === undefined) return [];
    return [given === 'true' ? option : given === '' ? `${option}=0` : `${option}=${given}`];
  });
}

/** Each option with its setting, if it has one, and its value, which is joined by `=` or the next word. */
function readOptions(words, settings) {
  const read = [];
  for (let index = 0; index < words.length; index += 1) {
    const [, dashes, name, joined] = /^(-*)([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(words[index]) ?? [];
    const setting = dashes || joined !== undefined ? settingOf(name, settings) : undefined;
    const next = words[index + 1];
    const takesNext = setting !== undefined && joined === undefined && next !== undefined && !next.startsWith('-');
    read.push({ text: takesNext ? `${words[index]} ${next}` : words[index], setting, value: takesNext ? next : joined });
    if (takesNext) index += 1;
  }
  return read;
}

function settingOf(name, settings) {
  const plain = name.replaceAll('-', '_');
  return settings.find((setting) => setting === plain.toUpperCase()) ?? MEANT[plain.toLowerCase()];
}

const quote = (value) => (/^[\w./:@%+,=<>-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);
