import { IsAnyText, IsShortText, IsText, IsUserId, IsUuid, Optional } from '../platform/validation/rules.js';
import { LIMITS, type RefreshPayload } from '../protocol/index.js';

const MAX_JTI_CHARS = 512;

/** Body of `POST /api/auth/guest`. */
export class GuestDto {
  @Optional({ description: 'Display name. When renewing, give it only to change it.' })
  @IsShortText(LIMITS.nameChars)
  name?: string;
}

/** Body of `POST /api/auth/revocations`: exactly one of the two. */
export class RevocationDto {
  @Optional({ description: 'The id of one token. It is revoked for good.' })
  @IsText(MAX_JTI_CHARS)
  jti?: string;

  @Optional({
    description: 'A user id. Every token of this user that was issued until now, or has no iat, is revoked.',
  })
  @IsUserId()
  sub?: string;
}

/** Body of `POST /api/auth/ticket`. */
export class TicketRequestDto {
  @IsUuid()
  streamId: string;
}

/** Payload of `auth:refresh`. */
export class RefreshDto implements RefreshPayload {
  @IsAnyText()
  token: string;
}
