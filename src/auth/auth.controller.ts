import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Responds } from '../platform/http/responses.decorator.js';
import { invalid } from '../platform/validation/payload.js';
import { optional, says, objectSchema, TEXT, TIME } from '../protocol/schemas/schema.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import type { Revocation } from '../platform/relay/topics.js';
import { challenge } from './auth.guard.js';
import { bearerToken } from '../platform/http/bearer.js';
import { CurrentPrincipal, Public } from './decorators.js';
import { GuestDto, RevocationDto } from './auth.dto.js';
import { GuestService, type GuestToken } from './tokens/guest.service.js';
import { authorize } from './policy.js';
import type { Principal } from './principal.js';
import { Revocations } from './revocations/revocations.service.js';

interface Revoked {
  revoked: RevocationDto;
  at: string;
}

const REVOKED = objectSchema<Revoked>({
  revoked: objectSchema<RevocationDto>({ jti: optional(TEXT), sub: optional(TEXT) }),
  at: TIME,
});

@ApiTags('auth')
@Controller('auth')
export class AuthController {
  constructor(
    private readonly guests: GuestService,
    private readonly revocations: Revocations,
    private readonly limits: HttpLimits,
  ) {}

  @Post('guest')
  @Public()
  @HttpCode(200)
  // The Bearer is optional.
  @ApiBearerAuth()
  @ApiSecurity({})
  @ApiOperation({
    summary: 'Issue a guest token',
    description:
      'Issues a token for a new guest. With a guest token as Bearer (valid, or expired for less than GUEST_TOKEN_TTL_MS), renews that guest. Fails with `unauthenticated` or `token_expired` if the Bearer cannot be renewed, and with `forbidden` if GUEST_ACCESS is off.',
  })
  @ApiBody({ type: GuestDto, required: false })
  @Responds(
    200,
    objectSchema<GuestToken>({
      token: says(TEXT, 'Send it as Bearer, or in the auth of the Socket.IO handshake.'),
      userId: TEXT,
      expiresAt: TIME,
    }),
  )
  async guest(
    @Body() { name }: GuestDto = {},
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GuestToken> {
    try {
      const renew = bearerToken(request.headers.authorization);
      return await this.limits.attempt(request, () => this.guests.issue({ name, renew }));
    } catch (error) {
      challenge(response, error, true);
      throw error;
    }
  }

  @Post('revocations')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Revoke one token, or all tokens of a user (admins)',
    description:
      'Give `jti` to revoke one token for good, or `sub` to revoke every token that was issued to a user until now. Connections and streams that use a revoked token end within a second. Fails with `conflict` at the limit of revocations.',
  })
  @Responds(200, REVOKED)
  async revoke(
    @CurrentPrincipal() principal: Principal,
    @Body() { jti, sub }: RevocationDto,
  ): Promise<Revoked> {
    authorize(principal, 'token:revoke');
    const { kind, value, at } = await this.revocations.revoke(oneOf(jti, sub));
    return { revoked: { [kind]: value }, at: new Date(at).toISOString() };
  }
}

function oneOf(jti: string | undefined, sub: string | undefined): Pick<Revocation, 'kind' | 'value'> {
  if (jti !== undefined && sub === undefined) return { kind: 'jti', value: jti };
  if (sub !== undefined && jti === undefined) return { kind: 'sub', value: sub };
  throw invalid(['give either jti or sub']);
}
