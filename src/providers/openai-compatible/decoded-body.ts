import { pipeline, type Readable, type Transform } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { DomainError } from '../../common/domain-error.js';

/** Gives out what there is, also where the end is missing: that shows in the answer itself. */
const ZLIB = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };
/** Lowest four bits of the first byte of a zlib header (RFC 1950); some servers send `deflate` without one. */
const ZLIB_METHOD = 8;

/**
 * Decodes a body that came compressed, although the request asks for none: some proxies do it. Destroying the result destroys
 * the body. @throws {DomainError} `provider_error` for an encoding that is not known.
 */
export async function decodedBody(body: Readable, contentEncoding = ''): Promise<Readable> {
  let decoded = body;
  for (const encoding of contentEncoding.toLowerCase().split(',').toReversed()) {
    const decoder = await decoderFor(encoding.trim(), decoded);
    if (decoder === undefined) continue;
    // An error destroys both, and is thrown to whoever reads the decoder.
    decoded = pipeline(decoded, decoder, () => {});
    decoded.on('error', () => {});
  }
  return decoded;
}

async function decoderFor(encoding: string, source: Readable): Promise<Transform | undefined> {
  if (encoding === '' || encoding === 'identity') return undefined;
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip(ZLIB);
  if (encoding === 'br') return createBrotliDecompress(BROTLI);
  if (encoding === 'deflate') return (await isZlib(source)) ? createInflate(ZLIB) : createInflateRaw(ZLIB);
  source.destroy();
  const message = 'The provider sent its answer in a compression that is not supported: turn it off there.';
  throw new DomainError('provider_error', message, { retryable: false });
}

/** Looks at the first byte of `source`, and puts it back. */
async function isZlib(source: Readable): Promise<boolean> {
  for (;;) {
    const bytes = source.read() as Buffer | null;
    if (bytes !== null && bytes.length > 0) {
      source.unshift(bytes);
      return ((bytes[0] ?? 0) & 0x0f) === ZLIB_METHOD;
    }
    if (source.readableEnded || source.destroyed) return true;
    await new Promise<void>((resolve) => {
      for (const event of ['readable', 'end', 'error', 'close']) source.once(event, () => resolve());
    });
  }
}
