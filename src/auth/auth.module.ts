import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Clock, SystemClock } from '../common/clock.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AuthKeys } from './tokens/auth-keys.js';
import { Authenticator } from './authenticator.js';
import { GuestService } from './tokens/guest.service.js';
import { RevocationEntity } from './revocations/revocation.entity.js';
import { RevocationList } from './revocations/revocation-list.js';
import { Revocations } from './revocations/revocations.service.js';
import { RevocationsStore } from './revocations/revocations.store.js';
import { TicketService } from './tokens/ticket.service.js';
import { TokenVerifier } from './tokens/token-verifier.js';

/**
 * Turns tokens into principals and guards every HTTP route of the application. Global, because controllers of other modules
 * watch revocations and issue tickets. Needs the PlatformModule and the DatabaseModule.
 */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([RevocationEntity])],
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
