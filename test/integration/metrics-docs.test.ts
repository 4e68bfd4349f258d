import type { Metric } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MetricsRegistry } from '../../src/platform/metrics/registry.js';
import { startApp, type TestApp } from '../support/app.js';
import { anchorsOf, readPage, rowsOf } from '../support/pages.js';

/** What prom-client keeps of a metric; its types leave these out. */
type Kept = Metric & { name: string; type: string; labelNames: string[] };

let app: TestApp;
let real: Kept[];

beforeAll(async () => {
  app = await startApp();
  real = app.app.get(MetricsRegistry).getMetricsAsArray() as unknown as Kept[];
});

afterAll(() => app.stop());

/** Names of prom-client's metrics. */
const NODES_OWN = /^(nodejs|process)_/;

test('docs/monitoring.md lists each metric of a running server with its type and labels, and none that does not exist', async () => {
  const rows = rowsOf(await readPage('docs/monitoring.md'))
    .map(([name = '', ...cells]) => [name.replaceAll('`', ''), ...cells] as const)
    .filter(([name]) => name.startsWith('streamgate_') || NODES_OWN.test(name));
  const listed = rows.filter((cells) => cells.length === 4);
  const advice = new Map(rows.filter((cells) => cells.length === 2).map(([name, text = '']) => [name, text]));
  for (const [name, , , meaning = ''] of listed) {
    expect(meaning.length, `meaning of ${name}`).toBeGreaterThan(10);
    expect(advice.get(name)?.length, `advice for ${name}`).toBeGreaterThan(0);
  }
  expect(advice.size).toBe(listed.length);
  const names = new Set(listed.map(([name]) => name));
  expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
  expect(names).toContain('nodejs_gc_duration_seconds');
  // Of Node's own, the ones that matter.
  const there = real
    .filter(({ name }) => name.startsWith('streamgate_') || names.has(name))
    .map(({ name, type, labelNames }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `${name} | ${type} | ${labels || '–'}`;
    });
  expect(listed.map((cells) => cells.slice(0, 3).join(' | ')).toSorted()).toEqual(there.toSorted());
});

/** Labels that Prometheus itself adds, or a histogram's series have. */
const ADDED = new Set(['instance', 'job', 'le', 'severity']);
const SUFFIX = /_(bucket|sum|count)$/;

/** Faults of a PromQL expression: metrics and labels that a running server does not have. */
function faultsOf(expression: string): string[] {
  const faults: string[] = [];
  const labels = new Set<string>();
  for (const [, name = '', matchers = ''] of expression.matchAll(
    /\b((?:streamgate|nodejs|process)_\w+)(?:\{([^}]*)\})?/g,
  )) {
    const found = real.find((metric) => metric.name === name || metric.name === name.replace(SUFFIX, ''));
    if (!found || (found.name !== name && found.type !== 'histogram')) faults.push(name);
    for (const label of found?.labelNames ?? []) labels.add(label);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (!found?.labelNames.includes(label) && !ADDED.has(label)) faults.push(`${name}{${label}}`);
    }
  }
  for (const [, by = ''] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of by.split(', '))
      if (!labels.has(label) && !ADDED.has(label)) faults.push(`by ${label}`);
  }
  return faults;
}

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; runbook: string };
}

test('each alert asks for metrics and labels that exist, says what is wrong, and leads to a section on what to do', async () => {
  const file = parse(await readPage('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
  const rules = file.groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(10);
  const anchors = anchorsOf(await readPage('docs/troubleshooting.md'));
  for (const { alert, expr, annotations } of rules) {
    expect(faultsOf(expr), alert).toEqual([]);
    expect(annotations.summary.length, alert).toBeGreaterThan(20);
    const [page, anchor = ''] = annotations.runbook.split('#');
    expect([page, anchors.has(anchor)], alert).toEqual(['docs/troubleshooting.md', true]);
  }
});

test('each panel of the dashboard asks for metrics and labels that exist', async () => {
  const { panels } = JSON.parse(await readPage('deploy/grafana/streamgate.json')) as {
    panels: { title: string; targets: { expr: string; legendFormat: string }[] }[];
  };
  expect(panels.length).toBeGreaterThan(10);
  for (const { title, targets } of panels) {
    for (const { expr } of targets) expect(faultsOf(expr), title).toEqual([]);
  }
});

test('an expression with a metric or a label that does not exist is found out', () => {
  expect(faultsOf('rate(streamgate_nothing_total[5m])')).toEqual(['streamgate_nothing_total']);
  expect(faultsOf('streamgate_connections{reason="x"}')).toEqual(['streamgate_connections{reason}']);
  expect(faultsOf('sum by (colour) (streamgate_connections)')).toEqual(['by colour']);
  expect(faultsOf('streamgate_connections_bucket')).toEqual(['streamgate_connections_bucket']);
});
