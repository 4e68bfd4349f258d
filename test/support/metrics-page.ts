import { tokenFor } from './client.js';

/** One value of a metric. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads the page of metrics as an admin. */
export async function scrape(url: string): Promise<Sample[]> {
  const token = await tokenFor('prometheus', { roles: ['admin'] });
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  if (response.status !== 200) throw new Error(`the metrics answered ${response.status}`);
  return samplesOf(await response.text());
}

/** The values of a page of Prometheus' text format. */
export function samplesOf(page: string): Sample[] {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-zA-Z0-9_:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const pairs = [...labels.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g)];
    return {
      name,
      value: Number(value),
      labels: Object.fromEntries(pairs.map(([, key = '', text = '']) => [key, text])),
    };
  });
}

/** Sum of a metric's values whose labels have these; 0 where there is none. */
export function sumOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels);
  return samples
    .filter((sample) => sample.name === name && wanted.every(([key, text]) => sample.labels[key] === text))
    .reduce((sum, { value }) => sum + value, 0);
}
