import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message, MessagePage, SendResult } from '../../src/protocol/index.js';
import { propertiesOf } from '../../src/platform/validation/payload-rules.js';
import { TestClient, tokenFor } from '../support/client.js';
import { POLICY_CALLS, type Scene } from '../support/policy-calls.js';
import { share } from '../support/share.js';
import { surface } from '../support/surface.js';
import { scenario, SCENARIO_TIMEOUT_MS } from './scenario.js';
import { mutate, mutation, NAMES, malformed, type Mutation } from './malformed.js';
import { startTarget, type Target } from './target.js';
import { Attacker } from './attacker.js';

const USERS = ['mallory', 'trudy', 'eve'] as const;
/** Names that Socket.IO's own client does not send; the raw connections of `wire.test.ts` do. */
const CLIENT_KEEPS = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** What may close the transport, a little below four times `MAX_PAYLOAD_BYTES`: names of keys are not counted. */
const TRANSPORT_BYTES = 4 * 65_000;

const { events, payloads } = surface();

let target: Target;
let attackers: Attacker[];

beforeAll(async () => {
  target = await startTarget();
  attackers = USERS.map((userId) => new Attacker(target.server.url, userId));
});
afterAll(async () => {
  for (const attacker of attackers) attacker.leave();
  await target.finish();
}, 120_000);

/** One event of one user: a good one, changed. */
interface Attack {
  by: number;
  event: string;
  mutations: Mutation[];
  /** Payloads behind the first. */
  more: readonly unknown[];
  /** Whether the next waits for this one's acknowledgement; `none` asks for none. */
  ack: 'await' | 'later' | 'none';
  clientMessageId: number;
}

const attack: fc.Arbitrary<Attack> = fc
  .oneof(
    { weight: 12, arbitrary: fc.constantFrom(...events) },
    { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
  )
  .filter((event) => !CLIENT_KEEPS.has(event))
  .chain((event) =>
    fc.record({
      by: fc.nat({ max: USERS.length - 1 }),
      event: fc.constant(event),
      mutations: fc.array(mutation(keysOf(event)), { maxLength: 3 }),
      more: fc.oneof(
        { weight: 9, arbitrary: fc.constant<readonly unknown[]>([]) },
        { weight: 1, arbitrary: fc.array(malformed, { maxLength: 3 }) },
      ),
      ack: fc.constantFrom('await', 'later', 'later', 'none'),
      clientMessageId: fc.nat({ max: 4 }),
    }),
  );

/** What the service itself says that the payload may have. */
function keysOf(event: string): string[] {
  const payloadClass = payloads.get(event);
  return payloadClass ? [...propertiesOf(payloadClass).keys()] : [];
}

/** A conversation of all three with an answer under way: everything that a good event needs. */
async function setScene(): Promise<Scene> {
  const { url } = target.server;
  const conversationId = randomUUID();
  await share(url, conversationId, USERS);
  const asked = await attackers[0]!.ask('message:send', {
    conversationId,
    clientMessageId: 'q',
    content: 'Why?',
  });
  const { streamId } = (asked as { answer: SendResult }).answer;
  return {
    conversationId,
    streamId: streamId!,
    userId: USERS[1],
    connectionId: '',
    token: await tokenFor(USERS[0]),
  };
}

function argsOf({ event, mutations, more, clientMessageId }: Attack, scene: Scene): unknown[] {
  const good = POLICY_CALLS[event]?.payload?.(scene) ?? {};
  const unlike = event === 'message:send' ? { clientMessageId: `c${clientMessageId}` } : {};
  return [mutate({ ...good, ...unlike }, mutations), ...more];
}

/** Sends them, and gives what was acked `ok` as stored. */
async function carryOut(attacks: readonly Attack[], scene: Scene): Promise<Message[]> {
  const stored: Message[] = [];
  const running: Promise<void>[] = [];
  /** Who has sent what closes the transport: all that is under way on that connection is then not answered. */
  const oversized = new Set<number>();
  for (const one of attacks) {
    const attacker = attackers[one.by]!;
    const args = argsOf(one, scene);
    if (Buffer.byteLength(JSON.stringify(args)) > TRANSPORT_BYTES) oversized.add(one.by);
    if (one.ack === 'none') {
      await attacker.tell(one.event, ...args);
      continue;
    }
    const told: Promise<void> = attacker.ask(one.event, ...args).then((outcome) => {
      if (outcome === 'closed' && oversized.has(one.by)) return;
      if (outcome === 'closed') throw new Error(`${one.event.slice(0, 64)} closed the connection`);
      const { message } = outcome.answer as Partial<SendResult>;
      if (message) stored.push(message);
    });
    running.push(told);
    // Whoever fails meanwhile is heard of at the end.
    told.catch(() => {});
    if (one.ack === 'await') await told.catch(() => {});
  }
  await Promise.all(running);
  return stored;
}

async function historyOf(conversationId: string): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const asked = await attackers[0]!.ask('message:history', {
      conversationId,
      afterSeq: messages.length,
      limit: 200,
    });
    // What was too large for the transport closed it meanwhile: it is asked on the next one.
    if (asked === 'closed') continue;
    const page = asked.answer as MessagePage;
    messages.push(...page.messages);
    if (!page.hasMore) return messages;
  }
}

test(
  'Whatever several users send in whatever order, each event gets one clear answer, and what was acked is there (P1, P2, P11)',
  async () => {
    const property = fc.asyncProperty(fc.array(attack, { minLength: 1, maxLength: 60 }), async (attacks) => {
      const scene = await setScene();
      const stored = await carryOut(attacks, scene);
      const history = await historyOf(scene.conversationId);
      expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
      const ids = history.map(({ senderId, clientMessageId, id }) => `${senderId} ${clientMessageId ?? id}`);
      expect(new Set(ids).size).toBe(ids.length);
      const kept = new Map(history.map((message) => [message.id, JSON.stringify(message)]));
      const here = stored.filter(({ conversationId }) => conversationId === scene.conversationId);
      for (const message of here) expect(kept.get(message.id)).toBe(JSON.stringify(message));
      expect(attackers.flatMap((attacker) => attacker.review())).toEqual([]);
    });
    const cases = await scenario(property, () => target.check());
    expect(cases).toBeGreaterThan(0);
  },
  SCENARIO_TIMEOUT_MS,
);

test(
  "Binary payloads close the connection of who sends them, and nobody else's (P11)",
  async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
    const property = fc.asyncProperty(fc.constantFrom(...events), bytes, async (event, payload) => {
      const mallory = await TestClient.connect(target.server.url, 'mallory');
      const closed = new Promise((resolve) => mallory.socket.once('disconnect', resolve));
      mallory.socket.emit(event, { conversationId: payload, nested: [payload, { payload }] }, () => {});
      expect(await closed).toMatch(/transport (?:close|error)/);
      mallory.close();
    });
    await fc.assert(property, { numRuns: 10 });
    await target.check();
  },
  SCENARIO_TIMEOUT_MS,
);
