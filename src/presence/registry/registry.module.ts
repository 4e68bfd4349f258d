import { Module } from '@nestjs/common';
import { Clock, SystemClock } from '../../common/clock.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { ConnectionRegistry } from './connection-registry.js';
import { MemoryConnectionRegistry } from './memory-connection-registry.js';

/** Who is connected. */
@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    {
      provide: ConnectionRegistry,
      useFactory: (config: Config, clock: Clock) =>
        new MemoryConnectionRegistry(config.PRESENCE_LEASE_MS, clock),
      inject: [CONFIG, Clock],
    },
  ],
  exports: [ConnectionRegistry],
})
export class RegistryModule {}
