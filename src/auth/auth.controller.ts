import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Responds } from '../platform/http/responses.decorator.js';
import { invalid } from '../platform/validation/payload.js';
import { optional, says, objectSchema, TEXT, TIME } from '../protocol/schemas/schema.js';
import { HttpLimits } from '../platform/limits/http-limits.js';
import type { Revocation } from '../platform/relay/topics.js';
import { challenge } from './auth.guard.js';
import { bearerToken } from './bearer.js';
import { CurrentPrincipal } from './current-principal.decorator.js';
import { GuestDto } from './guest.dto.js';
import { GuestService, type GuestToken } from './guest.service.js';
import { authorize } from './policy.js';
import type { Principal } from './principal.js';
import { Public } from './public.decorator.js';
import { RevocationDto } from './revocation.dto.js';
import { Revocations } from './revocations.service.js';

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
  // With a token or without.
  @ApiBearerAuth()
  @ApiSecurity({})
  @ApiOperation({
    summary: 'A guest token',
    description:
      'For a new guest; with a guest token as Bearer (good, or expired for less than GUEST_TOKEN_TTL_MS) for the same guest as before. `unauthenticated` or `token_expired` where the Bearer cannot be renewed; `forbidden` where GUEST_ACCESS is off.',
  })
  @ApiBody({ type: GuestDto, required: false })
  @Responds(
    200,
    objectSchema<GuestToken>({
      token: says(TEXT, 'To be sent as Bearer, or in the auth of the Socket.IO handshake.'),
      userId: TEXT,
      expiresAt: TIME,
    }),
  )
  async guest(
    @Body() { name }: GuestDto = {},
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GuestToken> {
    // A token must not stay in a cache (RFC 6750, 5.3).
    response.setHeader('Cache-Control', 'no-store');
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
    summary: 'Revoke one token, or all that a user has; admins',
    description:
      'Give `jti`, for ever, or `sub`, for every token issued until now. What goes on with such a token ends within a second. `conflict` where there are as many revocations as there may be.',
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
  throw invalid(['give jti or sub, and not both']);
}
