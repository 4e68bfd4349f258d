import { Injectable } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { MetricsRegistry } from '../metrics/registry.js';
import type { ErrorCode } from '../protocol/index.js';

/** Counts the requests of Socket.IO that are refused over HTTP: before a connection has a token, so before anything else counts it. */
@Injectable()
export class HandshakeMetrics {
  private readonly refusals: Counter<'code'>;

  constructor(registry: MetricsRegistry) {
    this.refusals = registry.counter(
      'streamgate_handshake_refusals_total',
      'Handshakes and requests of long polling that were refused over HTTP.',
      ['code'],
    );
  }

  /** Counts one refusal. */
  readonly refused = (code: ErrorCode): void => this.refusals.inc({ code });
}
