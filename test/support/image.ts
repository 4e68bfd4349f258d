import { execFile } from 'node:child_process';
import { copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { execForm, readStages, type Instruction, type Stage } from './dockerfile.js';
import { ROOT } from './pages.js';

const run = promisify(execFile);
const INSTALL = /^npm ci (--omit=dev )?--omit=optional --no-audit --no-fund$/;
/** What makes no files below /app, or is looked at elsewhere. */
const WITHOUT_FILES = ['WORKDIR', 'LABEL', 'ENV', 'EXPOSE', 'USER', 'HEALTHCHECK', 'CMD'];

/** What deploy/Dockerfile builds, as a folder. */
export interface Image {
  /** Its /app. */
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly user: { uid: number; gid: number };
  /** Program and arguments. */
  readonly command: string[];
  readonly healthcheck: string[];
  remove(): Promise<void>;
}

/**
 * Does what deploy/Dockerfile says, instruction by instruction, a folder for each stage. Instead of `npm ci` the packages
 * of this checkout are taken that it would install.
 * @throws at an instruction that is not understood: then the image is not what is tested.
 */
export async function buildImage(): Promise<Image> {
  const stages = await readStages(join(ROOT, 'deploy/Dockerfile'));
  const base = await mkdtemp(join(tmpdir(), 'streamgate-image-'));
  await chmod(base, 0o755);
  const remove = (): Promise<void> => rm(base, { recursive: true, force: true });
  try {
    for (const stage of stages) await buildStage(stage, base);
  } catch (error) {
    await remove();
    throw error;
  }
  const { instructions } = stages.at(-1) as Stage;
  const only = (name: string): Instruction => {
    const found = instructions.filter((instruction) => instruction.name === name);
    if (found.length !== 1) throw new Error(`${found.length} of ${name}`);
    return found[0] as Instruction;
  };
  const [uid = 0, gid = 0] = only('USER').text.split(':').map(Number);
  return {
    folder: join(base, 'final'),
    env: Object.fromEntries(
      only('ENV')
        .text.split(' ')
        .map((pair) => pair.split('=') as [string, string]),
    ),
    user: { uid, gid },
    command: execForm(only('CMD')),
    healthcheck: execForm(only('HEALTHCHECK')),
    remove,
  };
}

async function buildStage({ name = 'final', instructions }: Stage, base: string): Promise<void> {
  const folder = join(base, name);
  await mkdir(folder);
  for (const { name: instruction, text } of instructions) {
    if (instruction === 'COPY') copy(text, folder, base);
    else if (instruction === 'RUN') await runStep(text, folder);
    else if (!WITHOUT_FILES.includes(instruction)) throw new Error(`${instruction} is not understood`);
  }
}

function copy(text: string, folder: string, base: string): void {
  const words = text.split(' ');
  const stage = /^--from=(\S+)$/.exec(words[0] ?? '')?.[1];
  if (stage) words.shift();
  const target = words.pop() as string;
  for (const word of words) {
    const source = stage ? join(base, stage, word.replace(/^\/app\//, '')) : join(ROOT, word);
    const place = target.endsWith('/') ? join(folder, target, basename(word)) : join(folder, target);
    link(source, place);
  }
}

async function runStep(command: string, folder: string): Promise<void> {
  const install = INSTALL.exec(command);
  if (install) await (install[1] ? copyPackages(folder) : linkPackages(folder));
  else if (command.startsWith('node ')) await run('node', command.split(' ').slice(1), { cwd: folder });
  // Where the data of the image lies: the test has a folder of its own.
  else if (!command.startsWith('mkdir /data ')) throw new Error(`RUN ${command} is not understood`);
}

/** For the build, which needs the development's packages, too. */
async function linkPackages(folder: string): Promise<void> {
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

interface Locked {
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
}

/** What `npm ci --omit=dev --omit=optional` would install. */
async function copyPackages(folder: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const wanted = Object.entries(lock.packages).filter(
    ([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional,
  );
  // npm's note of what it installed.
  link(join(ROOT, 'node_modules/.package-lock.json'), join(folder, 'node_modules/.package-lock.json'));
  // Packages within another one have entries of their own.
  for (const [path] of wanted) link(join(ROOT, path), join(folder, path), 'node_modules');
}

/** Hard links to a file or to all in a folder, since copies would take half a minute; copies where the target is on another disk. */
function link(from: string, to: string, without = ''): void {
  if (lstatSync(from).isDirectory()) {
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) {
      if (name !== without) link(join(from, name), join(to, name), without);
    }
    return;
  }
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(from, to);
  }
}
