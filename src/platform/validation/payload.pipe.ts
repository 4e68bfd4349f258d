import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { compilePayload } from './payload.js';

type Check = (payload: unknown) => object;

/** Types of parameters that are not DTO classes. */
const NO_DTO = new Set<unknown>([undefined, Object, Array, String, Number, Boolean]);

/**
 * Checks events, bodies and queries against their DTOs with a checker compiled once per class. Bodies pass unchanged:
 * class-transformer would drop keys such as `constructor`, and recurse as deep as a body is nested.
 */
@Injectable()
export class PayloadPipe implements PipeTransform {
  private readonly checks = new Map<unknown, Check>();

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || NO_DTO.has(metatype)) return value;
    const dto = metatype as new () => object;
    // A missing body counts as an empty one.
    return this.checkOf(dto)(
      type === 'query' ? fromText(dto, value as object) : value === undefined ? {} : value,
    );
  }

  private checkOf(dto: new () => object): Check {
    const known = this.checks.get(dto);
    if (known) return known;
    const check = compilePayload(dto);
    this.checks.set(dto, check);
    return check;
  }
}

/**
 * A query contains only text: the DTO's `FromDigits` turns it into numbers. Keys that class-transformer drops are kept,
 * so that they are refused.
 */
function fromText(dto: new () => object, query: object): object {
  return { ...query, ...plainToInstance(dto, query) };
}
