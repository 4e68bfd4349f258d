import { expect, test } from 'vitest';
import { findMisspelt } from './misspelt.js';
import { VARIABLES } from './variables.js';

test.each([
  ['DATABSE_URL', 'DATABASE_URL'],
  ['DATABASE_ULR', 'DATABASE_URL'],
  ['database_url', 'DATABASE_URL'],
  ['AUTH_JWT_SECERT', 'AUTH_JWT_SECRET'],
  ['PROT', 'PORT'],
  ['LLM_BASEURL', 'LLM_BASE_URL'],
  ['CORS_ORIGIN', 'CORS_ORIGINS'],
  ['TRUSTPROXY', 'TRUST_PROXY'],
  ['NODEENV', 'NODE_ENV'],
])('%s is told as a misspelt %s', (name, nearest) => {
  expect(findMisspelt({ [name]: 'x' })).toEqual([{ name, nearest }]);
});

test('A name with one of our prefixes is told, however far it is from ours', () => {
  expect(findMisspelt({ LLM_MAXIMUM_OUTPUT: '1' })).toHaveLength(1);
});

test('Our own names, and those of systems, shells, package managers and clouds, are not told', () => {
  const others = [
    ...[
      'PATH',
      'HOME',
      'USER',
      'SHELL',
      'LANG',
      'TERM',
      'PWD',
      'OLDPWD',
      'LOGNAME',
      'MAIL',
      'HOSTNAME',
      'HOSTTYPE',
    ],
    ...[
      'TZ',
      'TMPDIR',
      'EDITOR',
      'DISPLAY',
      'SHLVL',
      'SSH_TTY',
      'XDG_DATA_DIRS',
      'XDG_DATA_HOME',
      'NODE',
      'NODE_OPTIONS',
    ],
    ...[
      'NODE_PATH',
      'NODE_EXTRA_CA_CERTS',
      'SSL_CERT_FILE',
      'SSL_CERT_DIR',
      'npm_package_name',
      'npm_config_cache',
      'INIT_CWD',
      'HTTP_PROXY',
      'NO_PROXY',
    ],
    ...[
      'PGHOST',
      'PGPORT',
      'POSTGRES_PASSWORD',
      'DATABASE_SERVICE_HOST',
      'KUBERNETES_PORT',
      'STREAMGATE_PORT',
    ],
    ...[
      'OTEL_SERVICE_NAME',
      'LC_ALL',
      'COLORTERM',
      'INVOCATION_ID',
      'JOURNAL_STREAM',
      'NOTIFY_SOCKET',
      'CI',
      'DEBUG',
    ],
    ...[
      'SystemRoot',
      'ComSpec',
      'PATHEXT',
      'OS',
      'APPDATA',
      'USERPROFILE',
      'REDIS_URL',
      'CHROMIUM_PATH',
      '_',
    ],
  ];
  const env = Object.fromEntries([...others, ...Object.keys(VARIABLES)].map((name) => [name, 'x']));
  expect(findMisspelt(env)).toEqual([]);
});
