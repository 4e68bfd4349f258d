import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Clock, SystemClock } from '../common/clock.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AuthKeys } from './auth-keys.js';
import { Authenticator } from './authenticator.js';
import { GuestService } from './guest.service.js';
import { RevocationList } from './revocation-list.js';
import { Revocations } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { TicketService } from './ticket.service.js';
import { TokenVerifier } from './token-verifier.js';

/**
 * Tokens become principals; every HTTP route of the application is guarded. Global: controllers of other rooms watch
 * revocations and give tickets. Needs the ConfigModule, the DatabaseModule and the RelayModule.
 */
@Global()
@Module({
  controllers: [AuthController],
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: APP_GUARD, useClass: AuthGuard },
    RevocationsStore,
    RevocationList,
    Revocations,
    TokenVerifier,
    GuestService,
    TicketService,
    Authenticator,
  ],
  exports: [RevocationList, TicketService, Authenticator],
})
export class AuthModule {
  static of(keys: AuthKeys): DynamicModule {
    return { module: AuthModule, providers: [{ provide: AuthKeys, useValue: keys }] };
  }
}
