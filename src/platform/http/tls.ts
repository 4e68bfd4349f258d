import { Logger } from '@nestjs/common';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import type { Config } from '../config/config.js';

type Files = Partial<Pick<Config, 'TLS_CERT_FILE' | 'TLS_KEY_FILE'>>;

/** TLS options of Node's HTTPS server. */
interface TlsOptions {
  cert: Buffer;
  key: Buffer;
  minVersion: 'TLSv1.2';
  handshakeTimeout: number;
}

/** Timeout of the handshake. Node's default of two minutes is long for a client that sends nothing. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const LOOK_MS = 30_000;

const logger = new Logger('Tls');

/**
 * Reads the certificate and its key; null if none is configured.
 * @throws with a sentence for the operator.
 */
export async function readTls({ TLS_CERT_FILE, TLS_KEY_FILE }: Files): Promise<TlsOptions | null> {
  if (TLS_CERT_FILE === undefined || TLS_KEY_FILE === undefined) return null;
  const reading = [read('TLS_CERT_FILE', TLS_CERT_FILE), read('TLS_KEY_FILE', TLS_KEY_FILE)] as const;
  const [cert, key] = await Promise.all(reading).catch(() => allFaults(reading));
  const options: TlsOptions = { cert, key, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
  try {
    createSecureContext(options);
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(
      `TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its own private key, both PEM (${why}).`,
      { cause: error },
    );
  }
  return options;
}

/**
 * Loads the certificate into `server` again when its files change, checked every `lookMs`. Existing connections stay. A pair
 * that does not match, such as in the middle of a renewal, is logged and changes nothing. Ends with the server.
 */
export function renewTls(server: Server, files: Files, lookMs = LOOK_MS): void {
  const paths = [files.TLS_CERT_FILE, files.TLS_KEY_FILE].filter((path) => path !== undefined);
  const renew = (): void => {
    readTls(files)
      .then((options) => {
        if (options) server.setSecureContext(options);
        logger.log('loaded the renewed certificate');
      })
      .catch((error: unknown) =>
        logger.warn('failed to load the renewed certificate, keeping the old one', { error }),
      );
  };
  // Polled: a Kubernetes secret is a link whose target changes, and watching the file does not notice that.
  for (const path of paths) watchFile(path, { interval: lookMs, persistent: false }, renew);
  server.once('close', () => paths.forEach((path) => unwatchFile(path, renew)));
}

async function read(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${name} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

/** If both files are missing, the error names both. */
async function allFaults(reading: readonly Promise<Buffer>[]): Promise<never> {
  const results = await Promise.allSettled(reading);
  const faults = results.flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as Error).message] : [],
  );
  throw new Error(faults.join(' '));
}
