import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { ROOT } from '../support/pages.js';

const LEVELS = new Set(['log', 'fatal', 'error', 'warn', 'debug', 'verbose']);

test.each([
  ['logger.warn(`stream ${id} failed`)', 1],
  ["this.logger.error('failed: ' + String(error), error)", 1],
  ["logger[level]('a' + b, fields)", 1],
  ["logger.log('failed to x', { id, error })", 0],
  ['logger.log(message)', 0],
  ['logger.log(`constant`)', 0],
])('%s has %i faults', (code, faults) => {
  expect(interpolated('x.ts', code)).toHaveLength(faults);
});

test('Every log line has a constant message: ids and errors are fields, so that equal events group', async () => {
  const paths = (await readdir(join(ROOT, 'src'), { recursive: true })).filter((path) =>
    /(?<!\.test)\.ts$/.test(path),
  );
  const sources = paths.map(async (path) =>
    interpolated(path, await readFile(join(ROOT, 'src', path), 'utf8')),
  );
  expect((await Promise.all(sources)).flat()).toEqual([]);
});

/** The calls of a logger whose message is put together. */
function interpolated(path: string, text: string): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const faults: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isLogCall(node.expression, file) && isBuilt(node.arguments[0]))
      faults.push(`${path}: ${node.getText(file)}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return faults;
}

function isLogCall(callee: ts.Expression, file: ts.SourceFile): boolean {
  if (ts.isElementAccessExpression(callee)) return /logger$/i.test(callee.expression.getText(file));
  return (
    ts.isPropertyAccessExpression(callee) &&
    LEVELS.has(callee.name.text) &&
    /logger$/i.test(callee.expression.getText(file))
  );
}

function isBuilt(message: ts.Expression | undefined): boolean {
  return !!message && (ts.isTemplateExpression(message) || ts.isBinaryExpression(message));
}
