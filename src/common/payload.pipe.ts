import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { compilePayload } from '../common/payload.js';

/** Checks an event's payload against its DTO, by a checker compiled once for each class. */
@Injectable()
export class PayloadPipe implements PipeTransform {
  private readonly checkers = new Map<unknown, (payload: unknown) => object>();

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (type !== 'body' || !metatype || metatype === Object) return value;
    let check = this.checkers.get(metatype);
    if (!check) {
      check = compilePayload(metatype as new () => object);
      this.checkers.set(metatype, check);
    }
    return check(value);
  }
}
