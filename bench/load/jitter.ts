/** Load of the scenario `jitter`: members of rooms whose connections die all the time, and somebody who goes on writing. */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../harness/clock.js';
import { Samples } from '../harness/figures.js';
import { serve } from '../harness/rpc.js';
import { arrive, inGroups, joinAll, tokenFor, type Person } from './virtual-users.js';
import { RoamingClient } from './roaming-client.js';

export interface JitterCrowd {
  url: string;
  name: string;
  clients: number;
  /** Members of one room, beside who writes. */
  roomSize: number;
  /** Whether the server is Socket.IO with its own recovery. */
  bare: boolean;
}

export interface JitterLoad {
  seconds: number;
  /** Messages per second in each room. */
  rate: number;
  /** How long a connection lives: at random between half and one and a half of this. */
  lifeMs: number;
  awayMs: number;
}

export interface JitterResult {
  cuts: number;
  published: number;
  deliveredShare: number;
  /** Messages that came again, for each that came. */
  repeatedShare: number;
  /** From the first try to connect until nothing was missing. */
  replayMs: Float64Array;
  cpuUs: number;
}

interface Room {
  id: string;
  writer: Person;
  published: number;
  roamingClients: RoamingClient[];
}

const ACK_EVERY_MS = 250;
const SETTLE_MS = 30_000;

const replays = new Samples();
let rooms: Room[] = [];
let bare = false;

async function gather(crowd: JitterCrowd): Promise<void> {
  bare = crowd.bare;
  const names = Array.from({ length: Math.ceil(crowd.clients / crowd.roomSize) }, (_, index) => index);
  const userIds = names.map((index) => `${crowd.name}-writer-${index}`);
  const writers = await arrive({ url: crowd.url, userIds, acks: true, onEvent: () => () => {} });
  rooms = writers.map((writer, index) => {
    return { id: `${crowd.name}-room-${index}`, writer, published: 0, roamingClients: [] };
  });
  await joinAll(rooms.map(({ writer, id }) => ({ ...writer, conversationId: id })));
  const places = Array.from({ length: crowd.clients }, (_, index) => index);
  await inGroups(places, async (index) => {
    const room = rooms[index % rooms.length] as Room;
    const userId = `${crowd.name}-${index}`;
    const roamingClient = new RoamingClient({
      ...{ url: crowd.url, token: await tokenFor(userId), deviceId: userId, conversationId: room.id },
      ...{ bare, published: () => room.published, onCaughtUp: (ms) => replays.add(ms) },
    });
    room.roamingClients.push(roamingClient);
    await roamingClient.arrive();
  });
  setInterval(() => roamingClients().forEach((roamingClient) => roamingClient.ack()), ACK_EVERY_MS);
}

function roamingClients(): RoamingClient[] {
  return rooms.flatMap((room) => room.roamingClients);
}

async function run({ seconds, rate, lifeMs, awayMs }: JitterLoad): Promise<JitterResult> {
  const cpu = process.cpuUsage();
  replays.take();
  const end = nowMs() + seconds * 1000;
  const [cuts] = await Promise.all([
    travel({ end, lifeMs, awayMs }),
    ...rooms.map((room) => write(room, end, 1000 / rate)),
  ]);
  const all = roamingClients();
  const deadline = nowMs() + SETTLE_MS;
  const missing = (): boolean =>
    rooms.some((room) => room.roamingClients.some((t) => t.heard < room.published));
  while (missing() && nowMs() < deadline) await delay(50);
  const due = rooms.reduce((sum, room) => sum + room.published * room.roamingClients.length, 0);
  const received = all.reduce((sum, roamingClient) => sum + roamingClient.received(), 0);
  const repeats = all.reduce((sum, roamingClient) => sum + roamingClient.repeats, 0);
  const { user, system } = process.cpuUsage(cpu);
  return {
    cuts,
    published: rooms.reduce((sum, room) => sum + room.published, 0),
    deliveredShare: received / due,
    repeatedShare: repeats / received,
    replayMs: replays.take(),
    cpuUs: user + system,
  };
}

/** @returns how many connections were cut, once everybody is back. */
async function travel({
  end,
  lifeMs,
  awayMs,
}: {
  end: number;
  lifeMs: number;
  awayMs: number;
}): Promise<number> {
  let cuts = 0;
  const journey = async (roamingClient: RoamingClient): Promise<void> => {
    for (;;) {
      const life = lifeMs * (0.5 + Math.random());
      if (nowMs() + life > end) return;
      await delay(life);
      roamingClient.cut();
      cuts += 1;
      await delay(awayMs);
      await roamingClient.arrive();
    }
  };
  await Promise.all(roamingClients().map(journey));
  return cuts;
}

/** One message after the other, on a schedule; a refusal is tried again under the same id. */
async function write(room: Room, end: number, everyMs: number): Promise<void> {
  for (let due = nowMs(); due < end; due += everyMs) {
    await delay(Math.max(0, due - nowMs()));
    const number = room.published + 1;
    const content = `${number} ${'m'.repeat(100)}`;
    const sent = { conversationId: room.id, clientMessageId: String(number), content, respond: false };
    await room.writer.client.ask('message:send', sent);
    room.published = number;
  }
}

serve({ gather, run });
