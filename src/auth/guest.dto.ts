import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, MaxLength, ValidateIf } from 'class-validator';
import { LIMITS } from '../protocol/index.js';

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
