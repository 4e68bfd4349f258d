import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js';
import type { Cleanup } from './cleanup.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };
const TICKS_PER_SECOND = 100;
const SETTINGS = ['server_version', 'fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size'];

/** The PostgreSQL of a run: `DATABASE_URL`, or an embedded one with its defaults, thrown away at the end. */
export class BenchDatabase {
  private made = 0;

  private constructor(
    private readonly adminUrl: string,
    private readonly admin: Client,
  ) {}

  static async open(cleanup: Cleanup): Promise<BenchDatabase> {
    const adminUrl = process.env['DATABASE_URL'] ?? (await startEmbedded(cleanup));
    const admin = new Client({ connectionString: adminUrl });
    await admin.connect();
    cleanup.add(() => admin.end());
    return new BenchDatabase(adminUrl, admin);
  }

  /** A new, empty database; dropped when `cleanup` runs. */
  async create(cleanup: Cleanup): Promise<string> {
    this.made += 1;
    const name = `streamgate_bench_${process.pid}_${this.made}`;
    await this.admin.query(`create database ${name}`);
    cleanup.add(() => this.admin.query(`drop database if exists ${name} with (force)`));
    const url = new URL(this.adminUrl);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** The settings that the figures depend on. */
  async describe(): Promise<string> {
    const values: string[] = [];
    for (const name of SETTINGS) {
      const { rows } = await this.admin.query<Record<string, string>>(`show ${name}`);
      values.push(`${name === 'server_version' ? 'PostgreSQL' : name} ${rows[0]?.[name]}`);
    }
    return `${values.join(', ')} (${process.env['DATABASE_URL'] ? 'DATABASE_URL' : 'embedded'})`;
  }

  /** CPU of all of this PostgreSQL's processes, the ended ones included, in microseconds; null where it cannot be seen. */
  async cpuUs(): Promise<number | null> {
    const { rows } = await this.admin.query<{ pid: number }>('select pid from pg_stat_activity');
    const living = await Promise.all(rows.map(({ pid }) => ticksOf(pid)));
    const parent = living.find((process) => process !== null)?.parent;
    const postmaster = parent === undefined ? null : await ticksOf(parent);
    if (!postmaster) return null;
    const ticks = living.reduce(
      (sum, process) => sum + (process?.own ?? 0),
      postmaster.own + postmaster.ended,
    );
    return (ticks * 1_000_000) / TICKS_PER_SECOND;
  }

  /** Writes out what is pending, so that one subject's leftovers do not slow the next. */
  async settle(): Promise<void> {
    await this.admin.query('checkpoint');
  }
}

async function startEmbedded(cleanup: Cleanup): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'streamgate-bench-'));
  cleanup.add(() => rm(dataDir, { recursive: true, force: true }));
  const server = await startEmbeddedPostgres({ dataDir, log: QUIET });
  cleanup.add(() => server.stop());
  return server.url;
}

/** CPU of a process and of its children that have ended, in ticks; null where it is none of this machine's PostgreSQL. */
async function ticksOf(pid: number): Promise<{ parent: number; own: number; ended: number } | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (!stat?.includes('(postgres)')) return null;
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (index: number): number => fields[index] ?? 0;
  return { parent: at(1), own: at(11) + at(12), ended: at(13) + at(14) };
}
