import { Global, Module } from '@nestjs/common';
import { MemoryRelay } from './memory-relay.js';
import { Relay } from './relay.js';
import { RelayMetrics } from './relay-metrics.js';

/** Gives the {@link Relay} to everybody. */
@Global()
@Module({ providers: [{ provide: Relay, useClass: MemoryRelay }, RelayMetrics], exports: [Relay] })
export class RelayModule {}
