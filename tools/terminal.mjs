// Prints preparation and start: one line per step, with the time it took. Plain JavaScript
// without dependencies, because the first step is to install them.

const NAME_WIDTH = 14;
const TEXT_WIDTH = 52;
const LINE_WIDTH_MAX = 100;
/** Where lines cannot be rewritten, progress is printed this often. */
const PROGRESS_LINE_MS = 10_000;

/** @param {NodeJS.WriteStream} stream */
export function createTerminal(stream = process.stdout) {
  // A closed terminal or an unread pipe must not end this process, which would leave its children behind.
  stream.on('error', () => undefined);
  const live = Boolean(stream.isTTY);
  const colored = live && !process.env.NO_COLOR;
  const paint = (code) => (text) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text);
  const [bold, dim, green, yellow, red] = ['1', '2', '32', '33', '31'].map(paint);
  const clearLine = () => live && stream.write('\r\u001b[2K');

  /** Begins a step. On a terminal its line is rewritten; elsewhere only results and the progress of slow steps are printed. */
  function step(name, text = '') {
    const startedAt = performance.now();
    const draw = (mark, detail, end) => stream.write(`  ${mark} ${name.padEnd(NAME_WIDTH)} ${detail}${end}`);
    let updatedAt = startedAt;
    if (live) draw(dim('…'), dim(text), '');
    return {
      update(detail) {
        if (!live && performance.now() - updatedAt < PROGRESS_LINE_MS) return;
        updatedAt = performance.now();
        clearLine();
        draw(dim('…'), dim(detail), live ? '' : '\n');
      },
      done(detail = text) {
        clearLine();
        const seconds = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
        draw(green('✔'), `${detail.padEnd(TEXT_WIDTH)} ${dim(seconds.padStart(8))}`, '\n');
      },
      fail() {
        clearLine();
        draw(red('✘'), text, '\n');
      },
    };
  }

  return {
    step,
    bold,
    dim,
    line: (text = '') => stream.write(`${text}\n`),
    /** Something that happened to a running process. */
    notice: (text) => stream.write(`  ${yellow('!')} ${text}\n`),
    /** Why the start ended, and what to do. */
    problem: (text) => stream.write(`\n${red('Kilotoken did not start.')}\n\n${text.split('\n').map(wrap).join('\n')}\n\n`),
  };
}

/** Breaks a line between words; a single word, such as a path, stays whole. */
function wrap(line) {
  // Indented lines are another program's output or a list, and keep their shape.
  if (line.startsWith(' ')) return line;
  const lines = [''];
  for (const word of line.split(' ')) {
    const current = lines.at(-1);
    if (current !== '' && current.length + 1 + word.length > LINE_WIDTH_MAX) lines.push(word);
    else lines[lines.length - 1] = current === '' ? word : `${current} ${word}`;
  }
  return lines.join('\n');
}

/** @typedef {ReturnType<typeof createTerminal>} Terminal */
