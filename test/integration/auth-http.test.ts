import { Controller, Get, ValidationPipe, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadAuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { AuthModule } from '../../src/auth/auth.module.js';
import { CurrentPrincipal, Public } from '../../src/auth/decorators.js';
import type { Principal } from '../../src/auth/principal.js';
import { DomainError, toDomainError } from '../../src/common/domain-error.js';
import { readConfig } from '../../src/platform/config/config.js';
import { PlatformModule } from '../../src/platform/platform.module.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { securityHeaders } from '../../src/platform/http/security-headers.js';
import { ERROR_RULES } from '../../src/protocol/index.js';
import { entities } from '../../src/app/entities.js';
import { migrations } from '../../migrations/index.js';
import { appToken, SECRET, temporaryFolder } from '../support/auth.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

@Controller()
class WhoController {
  @Get('who')
  who(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }

  @Get('open')
  @Public()
  open(): string {
    return 'open';
  }
}

/** Answers with the code alone: the form of error bodies is not this test's business. */
class CodeFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const { code } = toDomainError(error);
    host.switchToHttp().getResponse<Response>().status(ERROR_RULES[code].httpStatus).json({ code });
  }
}

class TestModule {}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

let app: NestExpressApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(env: Record<string, string> = {}): Promise<string> {
  const config = readConfig({ AUTH_JWT_SECRET: SECRET, DATA_DIR: temporaryFolder(), ...env });
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const root = {
    module: TestModule,
    imports: [
      PlatformModule.of(config),
      DatabaseModule.of({ url: database.url, poolSize: 2, entities, migrations, log }),
      AuthModule.of(await loadAuthKeys(config)),
    ],
    controllers: [WhoController],
  };
  app = await NestFactory.create<NestExpressApplication>(root, { logger: false });
  app.setGlobalPrefix('api');
  const exceptionFactory = () => new DomainError('invalid_payload', 'The body is wrong.');
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, exceptionFactory }));
  app.useGlobalFilters(new CodeFilter());
  app.use(securityHeaders({ tls: false }));
  await app.listen(0, '127.0.0.1');
  return `${await app.getUrl()}/api`;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function takeGuest(url: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/auth/guest`, {
    method: 'POST',
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { response, body: (await response.json()) as { token: string; userId: string; code?: string } };
}

describe('a guarded route', () => {
  it('knows who asks', async () => {
    const url = await start();
    const response = await fetch(`${url}/who`, { headers: bearer(await appToken({ roles: ['admin'] })) });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ userId: 'alice', isAdmin: true, guest: false });
  });

  it.each([
    ['no token', {}, 'unauthenticated', 'Bearer'],
    ['a scheme of its own', { authorization: 'Basic YTpi' }, 'unauthenticated', 'Bearer'],
    ['an empty token', { authorization: 'Bearer' }, 'unauthenticated', 'Bearer error="invalid_token"'],
    ['malformed', bearer('malformed'), 'unauthenticated', 'Bearer error="invalid_token"'],
  ])('refuses %s with 401 and a challenge', async (_, headers, code, challenge) => {
    const url = await start();
    const response = await fetch(`${url}/who`, { headers: headers as Record<string, string> });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(challenge);
    expect(await response.json()).toEqual({ code });
  });

  it('refuses an expired token by its own code', async () => {
    const url = await start();
    const response = await fetch(`${url}/who`, { headers: bearer(await appToken({ exp: 1 })) });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(await response.json()).toEqual({ code: 'token_expired' });
  });

  it('treats users without a token as guests if none is required, but refuses a bad one', async () => {
    const url = await start({ AUTH_REQUIRED: 'false' });
    expect(await (await fetch(`${url}/who`)).json()).toMatchObject({ guest: true });
    expect((await fetch(`${url}/who`, { headers: bearer('malformed') })).status).toBe(401);
  });
});

describe('a public route', () => {
  it('is open, whatever token comes with the request', async () => {
    const url = await start();
    for (const headers of [{}, bearer('malformed')] as Record<string, string>[]) {
      expect((await fetch(`${url}/open`, { headers })).status).toBe(200);
    }
  });
});

describe('POST /api/auth/guest', () => {
  it.each([undefined, {}, { name: 'Bo' }])('gives a token for the body %j', async (sent) => {
    const url = await start();
    const { response, body } = await takeGuest(url, sent);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(body).toSorted()).toEqual(['expiresAt', 'token', 'userId']);
    const who = await (await fetch(`${url}/who`, { headers: bearer(body.token) })).json();
    expect(who).toMatchObject({ userId: body.userId, guest: true, ...sent });
  });

  it('renews the token that comes as Bearer', async () => {
    const url = await start();
    const first = await takeGuest(url, { name: 'Bo' });
    const second = await takeGuest(url, {}, bearer(first.body.token));
    expect(second.body.userId).toBe(first.body.userId);
    expect(second.body.token).not.toBe(first.body.token);
  });

  it('refuses to renew a bad one, with a challenge', async () => {
    const url = await start();
    const { response, body } = await takeGuest(url, {}, bearer('malformed'));
    expect([response.status, body.code]).toEqual([401, 'unauthenticated']);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it.each([
    { name: 5 },
    { name: null },
    { name: 'x'.repeat(129) },
    { nick: 'Bo' },
    { name: 'Bo', roles: ['admin'] },
  ])('refuses the body %j', async (sent) => {
    const { response } = await takeGuest(await start(), sent);
    expect(response.status).toBe(400);
  });

  it('is forbidden where guest access is off', async () => {
    const { response, body } = await takeGuest(await start({ GUEST_ACCESS: 'false' }), {});
    expect([response.status, body.code]).toEqual([403, 'forbidden']);
    expect(response.headers.get('www-authenticate')).toBeNull();
  });
});
