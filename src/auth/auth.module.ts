import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Clock, SystemClock } from '../common/clock.js';
import { CONFIG } from '../config/config.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AuthKeys, loadAuthKeys } from './auth-keys.js';
import { Authenticator } from './authenticator.js';
import { GuestService } from './guest.service.js';
import { TokenVerifier } from './token-verifier.js';

/** Tokens become principals; every HTTP route of the application is guarded. Needs the ConfigModule. */
@Module({
  controllers: [AuthController],
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: AuthKeys, useFactory: loadAuthKeys, inject: [CONFIG] },
    { provide: APP_GUARD, useClass: AuthGuard },
    TokenVerifier,
    GuestService,
    Authenticator,
  ],
  exports: [TokenVerifier, GuestService, Authenticator],
})
export class AuthModule {}
