/** Load of the scenario `deploy`: members of rooms who come back by themselves when their server goes, and go on writing. */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../harness/clock.js';
import { Samples } from '../harness/figures.js';
import { serve } from '../harness/rpc.js';
import { inGroups, tokenFor } from './virtual-users.js';
import { RoamingClient } from './roaming-client.js';
import { WireClient } from './wire.js';

export interface DeployCrowd {
  url: string;
  name: string;
  clients: number;
  /** Members of one room, beside who writes. */
  roomSize: number;
  /** Whether the server is Socket.IO with its own recovery. */
  bare: boolean;
}

export interface DeployResult {
  /** Clients that are connected again and miss nothing that came after their return. */
  backShare: number;
  published: number;
  deliveredShare: number;
  repeatedShare: number;
  /** From the end of a connection until it is back with all that was published until then. */
  outageMs: Float64Array;
}

interface Room {
  id: string;
  writerId: string;
  writer: WireClient | undefined;
  published: number;
  roamingClients: RoamingClient[];
}

const WRITE_EVERY_MS = 2000;
const ACK_EVERY_MS = 250;
const ANSWER_MS = 5000;
const SETTLE_MS = 60_000;
/** Socket.IO's client: 1 s, 2 s, 4 s, 5 s, each half more or less. */
const BACK_OFF_MS = [1000, 2000, 4000, 5000] as const;

const outages = new Samples();
const away = new Set<RoamingClient>();
let crowd: DeployCrowd;
let rooms: Room[] = [];
const over = new AbortController();

async function gather(wanted: DeployCrowd): Promise<void> {
  crowd = wanted;
  rooms = Array.from({ length: Math.ceil(crowd.clients / crowd.roomSize) }, (_, index) => ({
    ...{ id: `${crowd.name}-room-${index}`, writerId: `${crowd.name}-writer-${index}` },
    ...{ writer: undefined, published: 0, roamingClients: [] },
  }));
  await inGroups(rooms, (room) => openWriter(room));
  const places = Array.from({ length: crowd.clients }, (_, index) => index);
  await inGroups(places, (index) => settle(rooms[index % rooms.length] as Room, `${crowd.name}-${index}`));
  outages.take();
  setInterval(() => roamingClients().forEach((roamingClient) => roamingClient.ack()), ACK_EVERY_MS);
  for (const room of rooms) void write(room);
}

async function settle(room: Room, userId: string): Promise<void> {
  const roamingClient: RoamingClient = new RoamingClient({
    ...{ url: crowd.url, token: await tokenFor(userId), deviceId: userId, conversationId: room.id },
    ...{ bare: crowd.bare, published: () => room.published, onCaughtUp: (ms) => outages.add(ms) },
    onLost: () => void comeBack(roamingClient),
  });
  room.roamingClients.push(roamingClient);
  await roamingClient.arrive();
}

/** As Socket.IO's client does by default. */
async function comeBack(roamingClient: RoamingClient): Promise<void> {
  const lostAt = nowMs();
  away.add(roamingClient);
  for (let attempt = 0; ; attempt += 1) {
    await delay((BACK_OFF_MS[Math.min(attempt, 3)] as number) * (0.5 + Math.random()));
    if (await roamingClient.tryToArrive(lostAt)) break;
  }
  away.delete(roamingClient);
}

function roamingClients(): RoamingClient[] {
  return rooms.flatMap((room) => room.roamingClients);
}

async function openWriter(room: Room): Promise<void> {
  const auth = crowd.bare ? {} : { token: await tokenFor(room.writerId), acks: true };
  room.writer = await WireClient.open({ url: crowd.url, auth, onEvent: () => {} });
  await room.writer.ask('conversation:join', { conversationId: room.id, access: 'link' });
}

/** One message after the other; what was not acked is sent again under the same id. */
async function write(room: Room): Promise<void> {
  await delay(Math.random() * WRITE_EVERY_MS);
  while (!over.signal.aborted) {
    const number = room.published + 1;
    const content = `${number} ${'m'.repeat(100)}`;
    const sent = { conversationId: room.id, clientMessageId: String(number), content, respond: false };
    try {
      if (room.writer?.ended !== undefined) await openWriter(room);
      await Promise.race([room.writer?.ask('message:send', sent), late()]);
      room.published = number;
    } catch {
      room.writer?.close();
    }
    await delay(WRITE_EVERY_MS);
  }
}

async function late(): Promise<never> {
  await delay(ANSWER_MS);
  throw new Error('no answer in time');
}

/** To be called when the new server is there: waits until everybody is back, and all has come or will not come any more. */
async function finish(): Promise<DeployResult> {
  const deadline = nowMs() + SETTLE_MS;
  const all = roamingClients();
  while ((away.size > 0 || outages.size < all.length) && nowMs() < deadline) await delay(100);
  over.abort();
  await delay(ANSWER_MS + WRITE_EVERY_MS);
  const due = rooms.reduce((sum, room) => sum + room.published * room.roamingClients.length, 0);
  const received = all.reduce((sum, roamingClient) => sum + roamingClient.received(), 0);
  return {
    backShare: (all.length - away.size) / all.length,
    published: rooms.reduce((sum, room) => sum + room.published, 0),
    deliveredShare: received / due,
    repeatedShare: all.reduce((sum, roamingClient) => sum + roamingClient.repeats, 0) / received,
    outageMs: outages.take(),
  };
}

serve({ gather, finish });
