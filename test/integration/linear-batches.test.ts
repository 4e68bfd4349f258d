import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const MEMBERS = 1000;
const QUEUED_EACH = 5;
const FEW = 100;
const MANY = 800;

/** A node of a plan as auto_explain gives it with `log_analyze`; numbers of rows are of one loop. */
interface Node {
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Join Filter'?: number;
  Plans?: Node[];
}

let database: TestDatabase;
let client: Client;
let rows = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `insert into conversations (id, last_seq) values ('room', ${QUEUED_EACH});
     insert into members (conversation_id, user_id) select 'room', 'u' || n from generate_series(1, ${MEMBERS}) n;
     insert into messages (conversation_id, seq, id, sender_id, role, client_message_id, content, metadata, created_at)
     select 'room', s, gen_random_uuid(), 'u1', 'user', s::text, 'text', '{}', now() from generate_series(1, ${QUEUED_EACH}) s;
     insert into deliveries (user_id, conversation_id, seq)
     select 'u' || n, 'room', s from generate_series(1, ${MEMBERS}) n, generate_series(1, ${QUEUED_EACH}) s;
     analyze`,
  );
  client.on('notice', ({ message }) => {
    if (message?.includes('plan:')) {
      const { Plan: plan } = JSON.parse(message.slice(message.indexOf('{'))) as { Plan: Node };
      rows += rowsOf(plan);
    }
  });
  await client.query(`load 'auto_explain'`);
  await client.query(
    `set client_min_messages = log; set auto_explain.log_min_duration = 0; set auto_explain.log_format = json;
     set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on`,
  );
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** Rows that a plan had in hand, those that it threw away included. */
function rowsOf(node: Node): number {
  const inHand = ['Actual Rows', 'Rows Removed by Filter', 'Rows Removed by Join Filter'] as const;
  const own = inHand.reduce((sum, name) => sum + (node[name] ?? 0), 0) * node['Actual Loops'];
  return (node.Plans ?? []).reduce((sum, child) => sum + rowsOf(child), own);
}

async function rowsFor(statement: string, values: unknown[]): Promise<number> {
  rows = 0;
  await client.query(statement, values);
  return rows;
}

function users(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `u${index + 1}`);
}

function all<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

const ack = (count: number, seq: number): Promise<number> =>
  rowsFor('select * from ack_messages($1, $2, $3, $4)', [
    ...[users(count), all(count, 'room'), all(count, seq), all(count, 0)],
  ]);

const offer = (count: number): Promise<number> =>
  rowsFor('select * from offer_deliveries($1, $2, $3, 86400000, 1000, 100, 262144)', [
    ...[users(count), all(count, 0), all(count, '{}')],
  ]);

test('What a batch of offers costs grows with the batch, not with its square (P7)', async () => {
  const few = await offer(FEW);
  const many = await offer(MANY);
  expect(few).toBeGreaterThan(FEW * QUEUED_EACH);
  expect(many).toBeLessThan((few * MANY * 2) / FEW);
});

test('What a batch of acks in one room costs grows with the batch, not with its square or the room (P7)', async () => {
  const few = await ack(FEW, 1);
  const many = await ack(MANY, 2);
  expect(few).toBeGreaterThan(FEW);
  expect(few).toBeLessThan(FEW * MEMBERS);
  expect(many).toBeLessThan((few * MANY * 2) / FEW);
});
