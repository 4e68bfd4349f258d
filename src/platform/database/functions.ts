import { createHash } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import { PINNED_PLANS } from './dedicated-connection.js';
import { sqlStateOf } from './errors.js';
import ackMessages from './functions/ack_messages.sql';
import addMember from './functions/add_member.sql';
import appendMessages from './functions/append_messages.sql';
import attemptDeliveries from './functions/attempt_deliveries.sql';
import deleteConversation from './functions/delete_conversation.sql';
import endStream from './functions/end_stream.sql';
import enterConversation from './functions/enter_conversation.sql';
import expireStreams from './functions/expire_streams.sql';
import joinConversation from './functions/join_conversation.sql';
import offerDeliveries from './functions/offer_deliveries.sql';
import pauseStream from './functions/pause_stream.sql';
import probeWrite from './functions/probe_write.sql';
import readPrompts from './functions/read_prompts.sql';
import readSnapshots from './functions/read_snapshots.sql';
import removeMember from './functions/remove_member.sql';
import resumeStream from './functions/resume_stream.sql';
import updateConversation from './functions/update_conversation.sql';

/** One function of the database, as its file in `functions/` declares it. */
export interface DatabaseFunction {
  readonly name: string;
  /** `create or replace function …`. */
  readonly text: string;
  readonly sha256: string;
}

/** The function files. They are imported as text: see `bundle.mjs` and `vitest.config.ts`. */
const FILES = {
  ack_messages: ackMessages,
  add_member: addMember,
  append_messages: appendMessages,
  attempt_deliveries: attemptDeliveries,
  delete_conversation: deleteConversation,
  end_stream: endStream,
  enter_conversation: enterConversation,
  expire_streams: expireStreams,
  join_conversation: joinConversation,
  offer_deliveries: offerDeliveries,
  pause_stream: pauseStream,
  probe_write: probeWrite,
  read_prompts: readPrompts,
  read_snapshots: readSnapshots,
  remove_member: removeMember,
  resume_stream: resumeStream,
  update_conversation: updateConversation,
};

/** SQLSTATE invalid_function_definition: the new text has another result or other parameter names. */
const SIGNATURE_CHANGED = '42P13';

const PINS = Object.entries(PINNED_PLANS)
  .map(([name, value]) => `set ${name} = ${value}`)
  .join(' ');
/** How long a function on a pooled session waits for a lock: see `retryWhileLocked`. */
const SHORT_LOCK_TIMEOUT = "set lock_timeout = '50ms'";

/**
 * The functions of the database. In a file, `:pinned_plans` stands for {@link PINNED_PLANS}. A function needs these
 * settings if a plan made while the tables were empty would scan them for ever. `:short_lock_timeout` is for functions that lock
 * a row while they hold one of the few pooled sessions.
 */
export const databaseFunctions: readonly DatabaseFunction[] = Object.entries(FILES).map(([name, file]) => {
  const text = file.replaceAll(':pinned_plans', PINS).replaceAll(':short_lock_timeout', SHORT_LOCK_TIMEOUT);
  return { name, text, sha256: createHash('sha256').update(text).digest('hex') };
});

/**
 * Applies the functions whose text differs from the recorded one, all in one transaction. The caller holds the lock of
 * migrations. Other nodes, also of the previous version, keep running and call the new functions from then on.
 * @returns their names.
 */
export async function applyFunctions(
  runner: QueryRunner,
  functions: readonly DatabaseFunction[],
): Promise<string[]> {
  const rows = (await runner.query('select name, sha256 from streamgate_functions')) as DatabaseFunction[];
  const recorded = new Map(rows.map(({ name, sha256 }) => [name, sha256]));
  const changed = functions.filter(({ name, sha256 }) => recorded.get(name) !== sha256);
  if (changed.length === 0) return [];
  await runner.startTransaction();
  try {
    for (const one of changed) await applyFunction(runner, one);
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  }
  return changed.map(({ name }) => name);
}

async function applyFunction(runner: QueryRunner, { name, text, sha256 }: DatabaseFunction): Promise<void> {
  await runner.query('savepoint before_function');
  if (!(await replaceFunction(runner, name, text))) {
    await runner.query('rollback to savepoint before_function');
    for (const signature of await signaturesOf(runner, name))
      await runner.query(`drop function ${signature}`);
    await runner.query(text);
  }
  await runner.query(
    `insert into streamgate_functions (name, sha256, definition_sha256)
     select name, $2, definition_sha256 from (${DEFINITIONS}) d
     on conflict (name) do update
     set sha256 = excluded.sha256, definition_sha256 = excluded.definition_sha256, applied_at = now()`,
    [[name], sha256],
  );
}

/** @returns false if the signature changed: PostgreSQL refused the text, or created a second function of that name. */
async function replaceFunction(runner: QueryRunner, name: string, text: string): Promise<boolean> {
  try {
    await runner.query(text);
  } catch (error) {
    if (sqlStateOf(error) === SIGNATURE_CHANGED) return false;
    throw error;
  }
  return (await signaturesOf(runner, name)).length === 1;
}

async function signaturesOf(runner: QueryRunner, name: string): Promise<string[]> {
  const rows = (await runner.query(
    `select oid::regprocedure::text as signature from pg_proc
     where proname = $1 and pronamespace = current_schema()::regnamespace`,
    [name],
  )) as { signature: string }[];
  return rows.map(({ signature }) => signature);
}

/** The functions that the database has under the names `$1`; one row each, none for a missing one. */
const DEFINITIONS = `
  select proname::text as name, encode(sha256(convert_to(pg_get_functiondef(oid), 'UTF8')), 'hex') as definition_sha256
  from pg_proc where proname = any($1::text[]) and prokind = 'f' and pronamespace = current_schema()::regnamespace`;

/** Returns the functions that were changed, dropped or overloaded in the database, or never applied. */
export async function functionDrift(
  database: { query(text: string, values: unknown[]): Promise<unknown> },
  functions: readonly DatabaseFunction[],
): Promise<DatabaseFunction[]> {
  const names = functions.map(({ name }) => name);
  const rows = (await database.query(
    `select r.name, r.sha256 from streamgate_functions r join (${DEFINITIONS}) d on d.name = r.name
     group by r.name having count(*) = 1 and min(d.definition_sha256) = r.definition_sha256`,
    [names],
  )) as DatabaseFunction[];
  const intact = new Map(rows.map(({ name, sha256 }) => [name, sha256]));
  return functions.filter(({ name, sha256 }) => intact.get(name) !== sha256);
}
