import { readFile } from 'node:fs/promises';

/** One instruction of a Dockerfile, such as `COPY` with its words. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** A stage: what stands between one FROM and the next. */
export interface Stage {
  /** Behind AS; the last one may have none. */
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, in order; comments removed and continued lines joined. */
export async function readStages(path: string): Promise<Stage[]> {
  const text = (await readFile(path, 'utf8')).replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const stages: { name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push({ name: / AS (\S+)$/.exec(rest)?.[1], instructions: [] });
    else stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

/** The program and arguments of an instruction in its exec form. @throws where it has the shell form. */
export function execForm({ text }: Instruction): string[] {
  const list = /\[.*\]$/.exec(text)?.[0];
  if (list === undefined) throw new Error(`not the exec form: ${text}`);
  return JSON.parse(list) as string[];
}
