import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { randomText } from '../../common/ids.js';

/** Name of the secret's file in `DATA_DIR`. */
export const SECRET_FILE = 'auth-secret';

const SECRET_BYTES = 32;
const MIN_SECRET_CHARS = 32;

/**
 * Returns the secret stored in `folder`, used as AUTH_JWT_SECRET would be. The first call creates it with its folder (32
 * random bytes as base64url, mode 0600). Processes that race all get the same secret.
 * @throws {Error} with a message for the operator, when it cannot be read or created.
 */
export async function loadOrCreateSecret(folder: string): Promise<string> {
  const path = join(folder, SECRET_FILE);
  try {
    return (await readSecret(path)) ?? (await createSecret(folder, path));
  } catch (error) {
    throw new Error(
      `The secret in ${path} cannot be used: ${(error as Error).message}. Fix this file, or set AUTH_JWT_SECRET: guest tokens and stream tickets need a secret.`,
      { cause: error },
    );
  }
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    const secret = (await readFile(path, 'utf8')).trim();
    if (secret.length >= MIN_SECRET_CHARS) return secret;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  throw new Error(`the file has fewer than ${MIN_SECRET_CHARS} characters`);
}

/** Creates the file by a hard link, which is atomic and never replaces a file: a process that loses the race reads the winner's secret. */
async function createSecret(folder: string, path: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const draft = `${path}.${randomText(8)}`;
  const secret = randomText(SECRET_BYTES);
  try {
    await writeDurably(draft, `${secret}\n`);
    await link(draft, path);
    return secret;
  } catch (error) {
    const winner = hasCode(error, 'EEXIST') ? await readSecret(path) : undefined;
    if (winner === undefined) throw error;
    return winner;
  } finally {
    await unlinkIfExists(draft);
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function unlinkIfExists(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
