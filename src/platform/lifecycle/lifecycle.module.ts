import { Global, Module } from '@nestjs/common';
import { Draining } from './draining.js';

/** Tells everybody whether the process is leaving. */
@Global()
@Module({ providers: [Draining], exports: [Draining] })
export class LifecycleModule {}
