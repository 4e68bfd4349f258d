import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { LIMITS } from '../../protocol/index.js';
import { FromDigits, IsWhole, Optional } from './rules.js';

/** `limit` in the query of a list: 1 to 200, 50 where it is left out (protocol section 5). */
export function PageLimit(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ default: LIMITS.defaultPageMessages }),
    Optional(),
    FromDigits(),
    IsWhole(1, LIMITS.pageMessages),
  );
}
