import { SignJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import type { Ack, ClientEvents, ServerEvents, WireError } from '../../src/protocol/index.js';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { TEST_SECRET } from './server.js';

export interface ClientOptions {
  acks?: boolean;
  deviceId?: string;
  /** Goes on trying after a loss; off by default, so that a test decides. */
  reconnection?: boolean;
  transports?: ('websocket' | 'polling')[];
  /** Instead of one made for `sub`; null for none. */
  token?: string | null;
  /** Of the handshake's request. */
  extraHeaders?: Record<string, string>;
  name?: string;
  roles?: string[];
  /** Handlers that are there before the first event can come. */
  on?: Record<string, (...args: never[]) => void>;
}

const DEADLINE_MS = 15_000;

/** A token for `sub`, good for an hour or as long as said. */
export function tokenFor(
  sub: string,
  claims: Record<string, unknown> = {},
  lifetime = '1h',
): Promise<string> {
  const jwt = new SignJWT({ sub, ...claims }).setProtectedHeader({ alg: 'HS256' });
  return jwt.setExpirationTime(lifetime).sign(new TextEncoder().encode(TEST_SECRET));
}

/** An error that the server gave as an acknowledgement. */
export class RefusedError extends Error {
  constructor(readonly error: WireError) {
    super(`${error.code}: ${error.message}`);
  }
}

/** A client of the service for tests: an ordinary Socket.IO client that remembers what it heard. */
export class TestClient {
  /** Every server event since the beginning, in order. */
  readonly heard: { event: string; payload: unknown }[] = [];

  private constructor(
    readonly socket: Socket,
    readonly userId: string,
  ) {
    socket.onAny((event: string, payload: unknown) => this.heard.push({ event, payload }));
  }

  /** Connects as `userId`. @throws what the server refused the connection with. */
  static async connect(url: string, userId: string, options: ClientOptions = {}): Promise<TestClient> {
    const {
      acks,
      deviceId,
      reconnection = false,
      transports = ['websocket'],
      name,
      roles,
      extraHeaders,
    } = options;
    const claims = { ...(name && { name }), ...(roles && { roles }) };
    const token = options.token === undefined ? await tokenFor(userId, claims) : options.token;
    const socket = io(url, {
      ...{ path: SOCKET_PATH, transports, reconnection, autoConnect: false, forceNew: true },
      ...(extraHeaders && { extraHeaders }),
      auth: {
        ...(token !== null && { token }),
        ...(acks !== undefined && { acks }),
        ...(deviceId !== undefined && { deviceId }),
      },
    });
    for (const [event, handler] of Object.entries(options.on ?? {})) {
      socket.on(event, handler as (...args: unknown[]) => void);
    }
    const client = new TestClient(socket, userId);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', (error) => {
        const data = (error as Error & { data?: WireError }).data;
        reject(data ? new RefusedError(data) : error);
      });
      socket.connect();
    });
    return client;
  }

  /** Sends an event and gives its answer. @throws {RefusedError} where the answer is an error. */
  async ask<K extends keyof ClientEvents>(
    event: K,
    payload: ClientEvents[K][0],
  ): Promise<ClientEvents[K][1]> {
    const answer = await this.raw<Ack<ClientEvents[K][1]>>(event, payload);
    if (answer.ok) return answer;
    throw new RefusedError(answer.error);
  }

  /** Sends anything at all and gives the acknowledgement as it came. */
  async raw<T = Ack<object>>(event: string, ...payload: unknown[]): Promise<T> {
    return (await this.socket.timeout(DEADLINE_MS).emitWithAck(event, ...payload)) as T;
  }

  /** The payloads of `event` so far. */
  all<K extends keyof ServerEvents>(event: K): ServerEvents[K][] {
    return this.heard
      .filter((entry) => entry.event === event)
      .map(({ payload }) => payload as ServerEvents[K]);
  }

  /** The first payload of `event`, heard or to come, that fits. @throws after 15 s. */
  async waitFor<K extends keyof ServerEvents>(
    event: K,
    fits: (payload: ServerEvents[K]) => boolean = () => true,
  ): Promise<ServerEvents[K]> {
    const before = this.all(event).find(fits);
    if (before !== undefined) return before;
    return new Promise((resolve, reject) => {
      const hear = (heard: string, payload: ServerEvents[K]): void => {
        if (heard !== event || !fits(payload)) return;
        done();
        resolve(payload);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${this.userId} did not hear ${event} within ${DEADLINE_MS} ms`));
      }, DEADLINE_MS);
      const done = (): void => {
        clearTimeout(timer);
        this.socket.offAny(hear);
      };
      // Behind the listener that remembers.
      this.socket.onAny(hear);
    });
  }

  /** Cuts the connection without a word, as a lost network does. */
  terminate(): void {
    const engine = this.socket.io.engine as { transport?: { ws?: { terminate?: () => void } } } | undefined;
    engine?.transport?.ws?.terminate?.();
    this.socket.disconnect();
  }

  close(): void {
    this.socket.disconnect();
  }
}
