import { Global, Module } from '@nestjs/common';
import { MemoryRelay } from './memory-relay.js';
import { Relay } from './relay.js';
import { RelayMetrics } from './relay-metrics.js';

/** Provides the {@link Relay} to every module. */
@Global()
@Module({ providers: [{ provide: Relay, useClass: MemoryRelay }, RelayMetrics], exports: [Relay] })
export class RelayModule {}
