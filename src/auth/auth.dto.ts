import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, IsUUID, MaxLength, ValidateIf } from 'class-validator';
import { IsText, IsUserId, Optional } from '../platform/validation/rules.js';
import { LIMITS, type RefreshPayload } from '../protocol/index.js';

const MAX_JTI_CHARS = 512;

/** Body of `POST /api/auth/guest`. */
export class GuestDto {
  @ApiPropertyOptional({
    maxLength: LIMITS.nameChars,
    description: 'Display name. When renewing, give it only to change it.',
  })
  @ValidateIf((guest: GuestDto) => guest.name !== undefined)
  @IsString()
  @MaxLength(LIMITS.nameChars)
  name?: string;
}

/** Body of `POST /api/auth/revocations`: exactly one of the two. */
export class RevocationDto {
  @ApiPropertyOptional({ description: 'The id of one token. It is revoked for good.' })
  @Optional()
  @IsText(MAX_JTI_CHARS)
  jti?: string;

  @ApiPropertyOptional({
    description: 'A user id. Every token of this user that was issued until now, or has no iat, is revoked.',
  })
  @Optional()
  @IsUserId()
  sub?: string;
}

/** Body of `POST /api/auth/ticket`. */
export class TicketRequestDto {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  streamId: string;
}

/** Payload of `auth:refresh`. */
export class RefreshDto implements RefreshPayload {
  @IsString()
  token: string;
}
