import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, MaxLength, ValidateIf } from 'class-validator';
import { LIMITS } from '../protocol/index.js';
import type { GuestToken } from './guest.service.js';

/** Body of `POST /api/auth/guest`. */
export class GuestDto {
  @ApiPropertyOptional({
    maxLength: LIMITS.nameChars,
    description: 'How to be called. When renewing: only where it shall change.',
  })
  @ValidateIf((guest: GuestDto) => guest.name !== undefined)
  @IsString()
  @MaxLength(LIMITS.nameChars)
  name?: string;
}

/** Answer of `POST /api/auth/guest`. */
export class GuestTokenDto implements GuestToken {
  @ApiProperty({ description: 'To be sent as Bearer, or in the auth of the Socket.IO handshake.' })
  token: string;

  @ApiProperty({ example: 'guest:q83vEjRWeJCrze8SNFZ4kA' })
  userId: string;

  @ApiProperty({ format: 'date-time' })
  expiresAt: string;
}
