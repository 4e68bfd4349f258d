import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsText, IsUserId, Optional } from '../platform/validation/rules.js';

const MAX_JTI_CHARS = 512;

/** Body of `POST /api/auth/revocations`: exactly one of both. */
export class RevocationDto {
  @ApiPropertyOptional({ description: 'The id of one token: revoked for ever.' })
  @Optional()
  @IsText(MAX_JTI_CHARS)
  jti?: string;

  @ApiPropertyOptional({ description: 'A user: every token issued until now, or without iat, is revoked.' })
  @Optional()
  @IsUserId()
  sub?: string;
}
