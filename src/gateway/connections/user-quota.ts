import { Inject, Injectable } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { engineOf } from '../engine/engine.js';
import { Connection } from './connection.js';

/** When a client that was refused may try again, in milliseconds. */
const FULL_RETRY_MS = 5000;

/** A connection that counts. */
interface Held {
  readonly deviceId: string;
  readonly socket: Socket;
  /** When its client connected or sent its last heartbeat, by `performance.now()`. */
  heardAt: number;
}

/**
 * Limits a user's connections to this node. A connection counts from its handshake until its transport has closed, or a newer
 * one takes its place: connections that are dead without a sign must not keep their user out until the heartbeat finds them.
 */
@Injectable()
export class UserQuota {
  private readonly byUser = new Map<string, readonly Held[]>();
  private readonly countRefusal: () => void;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly limits: RateLimits,
    metrics: LimitsMetrics,
  ) {
    this.countRefusal = metrics.refusalsOf('user_connections');
  }

  /**
   * Counts `socket`. At the cap it takes the place of the least recently active connection of its own device, else of the device that has the
   * most. @throws {DomainError} `rate_limited`, or `too_many_connections` where each device has only one.
   */
  async acquire(userId: string, deviceId: string, socket: Socket): Promise<void> {
    await this.limits.userConnects.consume(userId);
    // It may have closed while its token was checked: its 'close' event would never come.
    if (engineOf(socket).readyState !== 'open') return;
    this.makeRoom(userId, deviceId);
    const held: Held = { deviceId, socket, heardAt: performance.now() };
    this.byUser.set(userId, [...this.ofUser(userId), held]);
    socket.conn.on('close', () => this.release(userId, held));
    socket.conn.on('heartbeat', () => (held.heardAt = performance.now()));
  }

  private makeRoom(userId: string, deviceId: string): void {
    const all = this.ofUser(userId);
    if (all.length < this.config.MAX_CONNECTIONS_PER_USER) return;
    const replaced = replaceable(all, deviceId);
    if (!replaced) {
      this.countRefusal();
      const message = `A user may have ${this.config.MAX_CONNECTIONS_PER_USER} connections at once. Close one first.`;
      throw new DomainError('too_many_connections', message, { retryAfterMs: FULL_RETRY_MS });
    }
    this.release(userId, replaced);
    close(replaced.socket);
  }

  private ofUser(userId: string): readonly Held[] {
    return this.byUser.get(userId) ?? [];
  }

  private release(userId: string, held: Held): void {
    const others = this.ofUser(userId).filter((other) => other !== held);
    if (others.length > 0) this.byUser.set(userId, others);
    else this.byUser.delete(userId);
  }
}

/** Returns the connection whose place a new one of `deviceId` takes; undefined where every other device has only one. */
function replaceable(all: readonly Held[], deviceId: string): Held | undefined {
  const ofDevice = (id: string): Held[] => all.filter((held) => held.deviceId === id);
  const own = ofDevice(deviceId);
  const [most = []] = all.map((held) => ofDevice(held.deviceId)).toSorted((a, b) => b.length - a.length);
  const candidates = own.length > 0 || most.length < 2 ? own : most;
  return candidates.toSorted((a, b) => lastHeardAt(a) - lastHeardAt(b))[0];
}

function lastHeardAt({ socket, heardAt }: Held): number {
  const connection: unknown = socket.data;
  return connection instanceof Connection ? Math.max(heardAt, connection.lastActivityAt) : heardAt;
}

function close(socket: Socket): void {
  const connection: unknown = socket.data;
  if (connection instanceof Connection) connection.close('too_many_connections');
  // Its handshake is not over.
  else socket.conn.close(true);
}
