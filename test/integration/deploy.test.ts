import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/platform/config/config.js';
import { VARIABLES } from '../../src/platform/config/variables.js';
import { readStages } from '../support/dockerfile.js';
import { readPage, ROOT } from '../support/pages.js';

const FOLDER = join(ROOT, 'deploy');
const NAMES = new Set(Object.keys(VARIABLES));
const DEFAULTS = readConfig({});

interface Compose {
  services: Record<
    string,
    {
      image?: string;
      environment?: Record<string, string>;
      env_file?: object[];
      stop_grace_period?: string;
      ports?: string[];
    }
  >;
}

/** As much of Kubernetes' objects as is looked at here. */
interface Resource {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec?: Record<string, unknown>;
}

interface Probe {
  httpGet: { path: string; port: string };
}

interface Pod {
  terminationGracePeriodSeconds: number;
  containers: {
    ports: { name: string; containerPort: number }[];
    lifecycle: { preStop: { exec: { command: string[] } } };
    startupProbe: Probe;
    livenessProbe: Probe;
    readinessProbe: Probe;
  }[];
}

const read = (path: string): Promise<string> => readFile(join(FOLDER, path), 'utf8');

async function manifest(name: string): Promise<Resource> {
  return parse(await read(`kubernetes/${name}.yaml`)) as Resource;
}

test('every YAML file can be read', async () => {
  const paths = (await readdir(FOLDER, { recursive: true })).filter((path) => /\.ya?ml$/.test(path));
  expect(paths.length).toBeGreaterThan(5);
  for (const path of paths) {
    for (const document of parseAllDocuments(await read(path), { stringKeys: true })) {
      expect([path, document.errors, document.warnings]).toEqual([path, [], []]);
    }
  }
});

describe('deploy/compose.yaml', async () => {
  const { services } = parse(await read('compose.yaml')) as Compose;
  const streamgate = services['streamgate'] ?? {};
  const { environment = {}, stop_grace_period: grace = '', ports = [] } = streamgate;

  test('sets variables that exist, and nothing but what they may be', () => {
    expect(Object.keys(environment).filter((name) => !NAMES.has(name))).toEqual([]);
    const filled = Object.entries(environment).map(([name, text]) => [name, interpolate(text)] as const);
    const config = readConfig({ NODE_ENV: 'production', ...Object.fromEntries(filled) });
    expect(config.GUEST_ACCESS).toBe(false);
  });

  test('passes every variable of deploy/.env on, but for those that the container has of its own', async () => {
    expect(streamgate.env_file).toEqual([{ path: '.env', required: false }]);
    // What is under `environment` wins over the file: a value of its own there must be meant.
    const fixed = Object.entries(environment).filter(([name, text]) => !text.includes(`\${${name}:`));
    expect(Object.fromEntries(fixed)).toEqual({
      ...{ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: String(DEFAULTS.PORT), DATA_DIR: '/data' },
      ...{ DATABASE_URL: environment['DATABASE_URL'], SHUTDOWN_GRACE_MS: String(DEFAULTS.SHUTDOWN_GRACE_MS) },
    });
    const final = (await readStages(join(FOLDER, 'Dockerfile'))).at(-1);
    const { text = '' } = final?.instructions.find(({ name }) => name === 'ENV') ?? {};
    for (const pair of text.split(' '))
      expect(environment).toMatchObject(Object.fromEntries([pair.split('=')]));
  });

  test('gives no secret a default: without it the start ends with what to set', () => {
    for (const name of ['DATABASE_URL', 'AUTH_JWT_SECRET'])
      expect(environment[name]).toMatch(/\$\{[A-Z_]+:\?set/);
    expect(services['postgres']?.environment?.['POSTGRES_PASSWORD']).toMatch(/^\$\{POSTGRES_PASSWORD:\?set/);
  });

  test('leaves more time to end than SHUTDOWN_GRACE_MS (P12)', () => {
    expect(parseInt(grace) * 1000).toBeGreaterThan(Number(environment['SHUTDOWN_GRACE_MS']));
    expect(ports.map(interpolate)).toEqual([`127.0.0.1:${DEFAULTS.PORT}:${DEFAULTS.PORT}`]);
  });
});

describe('deploy/kubernetes', async () => {
  const settings = (await manifest('configmap')).data ?? {};
  const secrets = (await manifest('secret.example')).stringData ?? {};
  const deployment = await manifest('deployment');
  const { template } = deployment.spec as { template: { spec: Pod } };
  const pod = template.spec;
  const container = pod.containers[0] as Pod['containers'][0];

  test('sets variables that exist, and nothing but what they may be', () => {
    expect(Object.keys({ ...settings, ...secrets }).filter((name) => !NAMES.has(name))).toEqual([]);
    const AUTH_JWT_SECRET = 'x'.repeat(32);
    expect(() =>
      readConfig({ NODE_ENV: 'production', ...secrets, ...settings, AUTH_JWT_SECRET }),
    ).not.toThrow();
    // Whoever forgets to change the example is told at the start.
    expect(() => readConfig({ ...secrets })).toThrow('AUTH_JWT_SECRET');
  });

  test('leaves more time to end than preStop and SHUTDOWN_GRACE_MS take (P12)', () => {
    const [, waitMs = ''] =
      /setTimeout\(\(\) => \{\}, (\d+)\)/.exec(container.lifecycle.preStop.exec.command.join(' ')) ?? [];
    const needed = Number(waitMs) + Number(settings['SHUTDOWN_GRACE_MS']);
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(needed);
  });

  test('has the grace and the wait that docs/deployment.md has', async () => {
    const page = await readPage('docs/deployment.md');
    const [, text = ''] = /^```yaml\n(spec:\n[^]*?terminationGracePeriodSeconds[^]*?)^```$/m.exec(page) ?? [];
    const { spec } = parse(text) as { spec: Pod };
    expect(spec.terminationGracePeriodSeconds).toBe(pod.terminationGracePeriodSeconds);
    expect(spec.containers[0]?.lifecycle).toEqual(container.lifecycle);
    expect(settings['SHUTDOWN_GRACE_MS']).toBe(String(DEFAULTS.SHUTDOWN_GRACE_MS));
  });

  test('has one replica as long as there is no relay between processes', async () => {
    expect(deployment.spec).toMatchObject({
      replicas: 1,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    expect(() => readConfig({ REDIS_URL: 'redis://127.0.0.1' })).toThrow('not supported yet');
  });

  test('asks the port of the image for the health that the service has', async () => {
    const [port] = container.ports;
    expect(port).toEqual({ name: 'http', containerPort: DEFAULTS.PORT });
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/api/ws/health/live', port: 'http' },
      { path: '/api/ws/health/live', port: 'http' },
      { path: '/api/ws/health/ready', port: 'http' },
    ]);
    const service = await manifest('service');
    expect(service.spec?.['ports']).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
    const final = (await readStages(join(FOLDER, 'Dockerfile'))).at(-1);
    const texts = (final?.instructions ?? []).map(({ name, text }) => `${name} ${text}`);
    expect(texts).toContain(`EXPOSE ${DEFAULTS.PORT}`);
    expect(texts.find((text) => text.startsWith('HEALTHCHECK'))).toContain('healthcheck.mjs');
    expect(await readPage('deploy/healthcheck.mjs')).toContain('/api/ws/health/ready');
  });

  test('lists every manifest but the example of the secret', async () => {
    const { resources } = parse(await read('kubernetes/kustomization.yaml')) as { resources: string[] };
    const there = (await readdir(join(FOLDER, 'kubernetes'))).filter(
      (name) => !['kustomization.yaml', 'secret.example.yaml'].includes(name),
    );
    expect(new Set(resources)).toEqual(new Set(there));
  });
});

test('the image, the manifest that names it and the FAQ have the version of package.json', async () => {
  const { version } = JSON.parse(await readPage('package.json')) as { version: string };
  const lock = JSON.parse(await readPage('package-lock.json')) as typeof JSON & { version: string };
  expect(lock.version).toBe(version);
  expect(await read('Dockerfile')).toContain(`org.opencontainers.image.version=${version} `);
  expect(await read('kubernetes/deployment.yaml')).toContain(`image: streamgate:${version}\n`);
  expect(await readPage('docs/faq.md')).toContain(`It is version ${version}.`);
});

test('.dockerignore lets everything through that the image is built of', async () => {
  const admitted = (await readPage('.dockerignore')).split('\n').filter((line) => line.startsWith('!'));
  const copied = (await readStages(join(FOLDER, 'Dockerfile'))).flatMap(({ instructions }) =>
    instructions
      .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
      .flatMap(({ text }) => text.split(' ').slice(0, -1)),
  );
  expect(copied.length).toBeGreaterThan(8);
  const missing = copied.filter(
    (path) => !admitted.some((line) => `${path}/`.startsWith(`${line.slice(1)}/`)),
  );
  expect(missing).toEqual([]);
});

test('every proxy lets bodies through up to four times MAX_PAYLOAD_BYTES', async () => {
  const KiB = (4 * DEFAULTS.MAX_PAYLOAD_BYTES) / 1024;
  const { annotations } = (await manifest('ingress')).metadata;
  expect(annotations?.['nginx.ingress.kubernetes.io/proxy-body-size']).toBe(`${KiB}k`);
  expect(await read('nginx/streamgate.conf')).toContain(`client_max_body_size ${KiB}k;`);
  expect(await read('caddy/Caddyfile')).toContain(`max_size ${KiB}KiB`);
});

test('every proxy waits longer than an answer is silent', async () => {
  const { annotations } = (await manifest('ingress')).metadata;
  const seconds = Number(annotations?.['nginx.ingress.kubernetes.io/proxy-read-timeout']);
  expect(seconds * 1000).toBeGreaterThan(DEFAULTS.STREAM_HEARTBEAT_MS);
  expect(await read('nginx/streamgate.conf')).toContain('proxy_read_timeout 1h;');
});

test('heartbeats come within the shortest idle timeout that docs/deployment.md calls harmless', async () => {
  const page = await readPage('docs/deployment.md');
  const [, seconds] = /idle timeouts of (\d+) seconds and more cut nothing/.exec(page) ?? [];
  expect(DEFAULTS.HEARTBEAT_INTERVAL_MS).toBeLessThan(Number(seconds) * 1000);
  expect(DEFAULTS.STREAM_HEARTBEAT_MS).toBeLessThan(Number(seconds) * 1000);
  const config = readConfig({ HEARTBEAT_INTERVAL_MS: '10000', STREAM_HEARTBEAT_MS: '5000' });
  expect(page).toContain(`HEARTBEAT_INTERVAL_MS=${config.HEARTBEAT_INTERVAL_MS} STREAM_HEARTBEAT_MS=5000`);
});

/** `${NAME:-default}` as its default, `${NAME:?…}` as some value of 32 characters. */
function interpolate(text: string): string {
  return text.replaceAll(/\$\{[A-Z_]+:([-?])([^}]*)\}/g, (_all, kind: string, rest: string) =>
    kind === '-' ? rest : 'x'.repeat(32),
  );
}
