import ts from 'typescript';

/** Calls whose function argument only groups tests. */
const groups = /^describe(\.each\b.*)?$/s;

/** Functions of more than `linesMax` lines, as `path:line lines`. */
export const findLongFunctions = (path: string, text: string, linesMax: number): string[] => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line + 1;
  const found: string[] = [];

  const isGroup = (node: ts.Node): boolean => ts.isCallExpression(node.parent) && groups.test(node.parent.expression.getText(source));

  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body && !isGroup(node)) {
      const lines = lineOf(node.end) - lineOf(node.getStart(source)) + 1;
      if (lines > linesMax) found.push(`${path}:${lineOf(node.getStart(source))} ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
};
