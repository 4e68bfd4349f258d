import { Global, Module } from '@nestjs/common';
import { MemoryRelay } from './memory-relay.js';
import { Relay } from './relay.js';

/** Gives the {@link Relay} to everybody. */
@Global()
@Module({ providers: [{ provide: Relay, useClass: MemoryRelay }], exports: [Relay] })
export class RelayModule {}
