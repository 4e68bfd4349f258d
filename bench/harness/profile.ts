import { readFile } from 'node:fs/promises';
import type { Profiler } from 'node:inspector';
import { ROOT } from './processes.js';

const TOP = 25;
/** `dispatch` is the profiler's own start. */
const NOT_WORK = new Set(['(idle)', 'dispatch']);

/** Self time of one function, or of one part, as a share of all that was not idle. */
interface Cost {
  name: string;
  share: number;
}

/** The functions and parts that took the most time themselves, as lines to print. */
export async function profileLines(file: string): Promise<string[]> {
  const profile = JSON.parse(await readFile(file, 'utf8')) as Profiler.Profile;
  const byFunction = new Map<string, number>();
  const byPart = new Map<string, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  let busyUs = 0;
  (profile.samples ?? []).forEach((id, index) => {
    const frame = nodes.get(id)?.callFrame;
    const us = profile.timeDeltas?.[index] ?? 0;
    if (!frame || NOT_WORK.has(frame.functionName)) return;
    busyUs += us;
    add(byFunction, `${frame.functionName || '(anonymous)'}  ${placeOf(frame)}`, us);
    add(byPart, partOf(frame), us);
  });
  return [
    'self time by part:',
    ...top(byPart, busyUs).map(line),
    'self time by function:',
    ...top(byFunction, busyUs).map(line),
    `the whole profile: ${file}`,
  ];
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}

function top(sums: Map<string, number>, total: number): Cost[] {
  const costs = [...sums].map(([name, us]) => ({ name, share: us / total }));
  return costs.toSorted((a, b) => b.share - a.share).slice(0, TOP);
}

function line({ name, share }: Cost): string {
  return `${(share * 100).toFixed(1).padStart(6)} %  ${name}`;
}

function placeOf({ url, lineNumber }: { url: string; lineNumber: number }): string {
  if (url === '') return '';
  const path = url.replace(`file://${ROOT}/`, '').replace(/^.*node_modules\//, '');
  return `${path}:${lineNumber + 1}`;
}

/** A package, a folder of the service, a module of Node, or the engine itself. */
function partOf({ url, functionName }: { url: string; functionName: string }): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native functions';
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  if (url.startsWith('node:')) return `node:${url.slice(5).split('/').slice(0, 2).join('/')}`;
  return /\/dist\/(src\/[^/]+|bench\/bench\/[^/]+)/.exec(url)?.[1] ?? url;
}
