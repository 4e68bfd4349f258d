import { TestClient } from '../support/client.js';
import { faultOfAck, leakIn } from './answers.js';

const DEADLINE_MS = 12_000;

/** What became of an event: its acknowledgement, or that the connection was closed before. */
export type Outcome = { answer: unknown } | 'closed';

/** A user who sends anything, and comes back whenever the server closed the connection. */
export class Attacker {
  private client: TestClient | undefined;
  /** Of this connection: how often each acknowledgement came. */
  private acks = new Map<string, number>();

  constructor(
    private readonly url: string,
    readonly userId: string,
  ) {}

  /** Sends an event with an acknowledgement. @throws where it does not come, comes twice, or is none of the protocol. */
  async ask(event: string, ...payloads: unknown[]): Promise<Outcome> {
    const { socket } = await this.connected();
    return new Promise((resolve, reject) => {
      const done = (act: () => void): void => {
        clearTimeout(timer);
        socket.off('disconnect', closed);
        act();
      };
      const closed = (): void => done(() => resolve('closed'));
      const late = new Error(`${event.slice(0, 64)} was not acknowledged within ${DEADLINE_MS} ms`);
      const timer = setTimeout(() => done(() => reject(late)), DEADLINE_MS);
      socket.once('disconnect', closed);
      socket.emit(event, ...payloads, (answer: unknown) => {
        const fault = faultOfAck(answer);
        done(() =>
          fault === null ? resolve({ answer }) : reject(new Error(`${event.slice(0, 64)}: ${fault}`)),
        );
      });
    });
  }

  /** Sends an event without an acknowledgement. */
  async tell(event: string, ...payloads: unknown[]): Promise<void> {
    (await this.connected()).socket.emit(event, ...payloads);
  }

  /** What was wrong in everything that this connection heard. */
  review(): string[] {
    const heard = this.client?.heard.splice(0) ?? [];
    const twice = [...this.acks].filter(([, count]) => count > 1);
    return [
      ...twice.map(([id, count]) => `acknowledgement ${id} of ${this.userId} came ${count} times`),
      ...heard.filter(({ event }) => event === 'exception').map(() => `${this.userId} heard an exception`),
      ...[leakIn(JSON.stringify(heard))].filter((leak) => leak !== null),
    ];
  }

  leave(): void {
    this.client?.close();
    this.client = undefined;
  }

  private async connected(): Promise<TestClient> {
    if (this.client?.socket.connected) return this.client;
    this.leave();
    const client = await TestClient.connect(this.url, this.userId);
    const acks = new Map<string, number>();
    (client.socket.io.engine as unknown as { on(event: 'data', hear: (data: unknown) => void): void }).on(
      'data',
      (data) => {
        const id = /^3(\d+)\[/.exec(String(data))?.[1];
        if (id !== undefined) acks.set(id, (acks.get(id) ?? 0) + 1);
      },
    );
    this.acks = acks;
    this.client = client;
    return client;
  }
}
