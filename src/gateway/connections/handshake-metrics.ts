import { Injectable } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { ErrorCode } from '../../protocol/index.js';

/** Counts what Socket.IO refuses before there is a connection: over HTTP, and by `connect_error`. */
@Injectable()
export class HandshakeMetrics {
  private readonly refusals: Counter<'code'>;

  constructor(registry: MetricsRegistry) {
    this.refusals = registry.counter(
      'streamgate_handshake_refusals_total',
      'Handshakes and requests of long polling that were refused, over HTTP or by connect_error.',
      ['code'],
    );
  }

  /** Counts one refusal. */
  readonly refused = (code: ErrorCode): void => this.refusals.inc({ code });
}
