import type { Figure } from './figures.js';
import type { Row } from './scenario.js';

/** The rows as text tables, one for each case: the median, and the least and the most of the rounds. */
export function tables(rows: readonly Row[]): string[] {
  const cases = new Map<string, Row[]>();
  for (const row of rows) cases.set(row.case, [...(cases.get(row.case) ?? []), row]);
  return [...cases].flatMap(([name, group]) => ['', name, ...table(group)]);
}

function table(rows: readonly Row[]): string[] {
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))].filter((name) =>
    rows.some((row) => !isAsItShouldBe(name, row)),
  );
  const lines = [['', ...names], ...rows.map((row) => [row.server, ...names.map((name) => cell(row, name))])];
  const widths = ['', ...names].map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines.map((line) =>
    line
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('   '),
  );
}

/** What is only worth a column where something went wrong. */
const SHOULD_BE: Record<string, number> = { refused: 0, 'delivered %': 100, 'lost connections': 0 };

function isAsItShouldBe(name: string, { figures }: Row): boolean {
  const { min, max } = figures[name] ?? {};
  return SHOULD_BE[name] !== undefined && min === SHOULD_BE[name] && max === SHOULD_BE[name];
}

function cell({ figures }: Row, name: string): string {
  const figure: Figure | undefined = figures[name];
  if (!figure || Number.isNaN(figure.median)) return '-';
  const { median, min, max, rounds } = figure;
  return rounds.length === 1 || min === max
    ? short(median)
    : `${short(median)} (${short(min)}-${short(max)})`;
}

function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
