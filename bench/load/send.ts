/** Load of the scenario `send`: people in rooms who send messages and wait for acks. */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../harness/clock.js';
import { Samples } from '../harness/figures.js';
import { serve } from '../harness/rpc.js';
import { arrive, joinAll, type Person } from './virtual-users.js';

export interface SendCrowd {
  url: string;
  /** Makes this crowd's names differ from every other's. */
  name: string;
  sockets: number;
  roomSize: number;
  /** Whether clients announce and send acks of what they receive. */
  acks: boolean;
  contentBytes: number;
}

export interface SendLoad {
  seconds: number;
  /** Sends that each socket keeps under way. */
  inFlight?: number;
  /** Sends per second over all sockets, on a schedule that waits for no ack. */
  rate?: number;
}

export interface SendResult {
  /** Acks per second within the time. */
  perSecond: number;
  /** All acked sends, those after the time included. */
  sends: number;
  refused: number;
  /** Messages that others received, for each that they should have. */
  deliveredShare: number;
  latenciesMs: Float64Array;
  /** CPU of this generator, in microseconds. */
  cpuUs: number;
}

interface Sender extends Person {
  before: string;
  after: string;
  conversationId: string;
  heardSeq: number;
  ackedSeq: number;
}

const ACK_EVERY_MS = 250;
const DRAIN_MS = 5000;

const senders: Sender[] = [];
let roomSize = 2;
let sent = 0;
let delivered = 0;

/** As a client library would: cumulative, for what has come since. */
function ackWhatCame(): void {
  for (const sender of senders) {
    if (sender.heardSeq === sender.ackedSeq) continue;
    sender.ackedSeq = sender.heardSeq;
    const { conversationId, heardSeq: seq } = sender;
    sender.client.emit('message:ack', JSON.stringify({ conversationId, seq }), () => {});
  }
}

async function gather(crowd: SendCrowd): Promise<void> {
  roomSize = crowd.roomSize;
  const userIds = Array.from({ length: crowd.sockets }, (_, index) => `${crowd.name}-${index}`);
  const onEvent = (index: number) => (name: string, payload: string) => {
    if (name !== 'message:new') return;
    delivered += 1;
    const sender = senders[index];
    if (sender) sender.heardSeq = seqOf(payload);
  };
  const people = await arrive({ url: crowd.url, userIds, acks: crowd.acks, onEvent });
  const content = 'm'.repeat(crowd.contentBytes);
  for (const [index, person] of people.entries()) {
    const conversationId = `${crowd.name}-room-${Math.floor(index / roomSize)}`;
    senders.push({
      ...person,
      conversationId,
      before: `{"conversationId":"${conversationId}","clientMessageId":"`,
      after: `","content":"${content}","respond":false}`,
      heardSeq: 0,
      ackedSeq: 0,
    });
  }
  await joinAll(senders);
  if (crowd.acks) setInterval(ackWhatCame, ACK_EVERY_MS);
}

function seqOf(payload: string): number {
  const at = payload.indexOf('"seq":');
  return at === -1 ? 0 : Number.parseInt(payload.slice(at + 6, at + 18), 10);
}

async function run({ seconds, inFlight, rate }: SendLoad): Promise<SendResult> {
  const cpu = process.cpuUsage();
  const latencies = new Samples();
  const counts = { underWay: 0, acked: 0, inTime: 0, refused: 0, delivered };
  const start = nowMs();
  const end = start + seconds * 1000;
  const send = (sender: Sender, since: number, then?: () => void): void => {
    counts.underWay += 1;
    sent += 1;
    sender.client.emit('message:send', `${sender.before}${sent}${sender.after}`, (answer) => {
      const now = nowMs();
      counts.underWay -= 1;
      if (answer.startsWith('{"ok":true')) counts.acked += 1;
      else counts.refused += 1;
      if (now <= end) counts.inTime += 1;
      latencies.add(now - since);
      then?.();
    });
  };
  if (rate === undefined) await saturate(send, end, inFlight ?? 1);
  else await keepPace(send, { start, end, rate });
  const expected = (): number => counts.acked * (roomSize - 1);
  await until(() => counts.underWay === 0 && delivered - counts.delivered >= expected());
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: counts.inTime / seconds,
    sends: counts.acked,
    refused: counts.refused + counts.underWay,
    deliveredShare: (delivered - counts.delivered) / expected(),
    latenciesMs: latencies.take(),
    cpuUs: user + system,
  };
}

type Send = (sender: Sender, since: number, then?: () => void) => void;

async function saturate(send: Send, end: number, inFlight: number): Promise<void> {
  const next = (sender: Sender): void => {
    const now = nowMs();
    if (now < end) send(sender, now, () => next(sender));
  };
  for (const sender of senders) for (let count = 0; count < inFlight; count += 1) next(sender);
  await delay(end - nowMs());
}

/** Latency counts from when a send was due: a server that stalls cannot hide behind a generator that waits for it. */
async function keepPace(send: Send, { start, end, rate }: { start: number; end: number; rate: number }) {
  const total = Math.floor(((end - start) * rate) / 1000);
  for (let count = 0; count < total;) {
    const due = Math.min(total, Math.floor(((nowMs() - start) * rate) / 1000));
    for (; count < due; count += 1) {
      send(senders[count % senders.length] as Sender, start + (count * 1000) / rate);
    }
    await delay(1);
  }
}

async function until(reached: () => boolean): Promise<void> {
  const deadline = nowMs() + DRAIN_MS;
  while (!reached() && nowMs() < deadline) await delay(10);
}

serve({ gather, run });
