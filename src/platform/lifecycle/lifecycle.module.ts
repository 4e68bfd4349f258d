import { Global, Module } from '@nestjs/common';
import { Draining } from './draining.js';

/** Provides {@link Draining} to every module. */
@Global()
@Module({ providers: [Draining], exports: [Draining] })
export class LifecycleModule {}
