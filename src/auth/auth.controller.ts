import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiBody,
  ApiForbiddenResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { challenge } from './auth.guard.js';
import { bearerToken } from './bearer.js';
import { GuestDto, GuestTokenDto } from './guest.dto.js';
import { GuestService } from './guest.service.js';
import { Public } from './public.decorator.js';

@ApiTags('auth')
@Controller('auth')
export class AuthController {
  constructor(private readonly guests: GuestService) {}

  @Post('guest')
  @Public()
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'A guest token',
    description:
      'For a new guest; with a guest token as Bearer (good, or expired for less than GUEST_TOKEN_TTL_MS) for the same guest as before.',
  })
  @ApiBody({ type: GuestDto, required: false })
  @ApiOkResponse({ type: GuestTokenDto })
  @ApiBadRequestResponse({ description: '`invalid_payload`' })
  @ApiUnauthorizedResponse({
    description: '`unauthenticated` or `token_expired`: the Bearer cannot be renewed',
  })
  @ApiForbiddenResponse({ description: '`forbidden`: GUEST_ACCESS is off' })
  async guest(
    @Body() { name }: GuestDto = {},
    @Headers('authorization') authorization: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<GuestTokenDto> {
    // A token must not stay in a cache (RFC 6750, 5.3).
    response.setHeader('Cache-Control', 'no-store');
    try {
      return await this.guests.issue({ name, renew: bearerToken(authorization) });
    } catch (error) {
      challenge(response, error, true);
      throw error;
    }
  }
}
