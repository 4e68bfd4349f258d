/**
 * Which room may import which. Type-only imports count. What is not listed is forbidden.
 *
 *   app → gateway, operations → streaming, presence, typing → conversations → queue, providers, auth → platform → common → protocol
 *
 * The table in docs/architecture.md must match these rules.
 */
const GROUND = ['platform', 'common', 'protocol'];
const FEATURES = ['streaming', 'presence', 'typing', 'conversations', 'queue', 'providers', 'auth'];

/** Room (folder of src/) → the rooms that it may import besides itself. A new room must be added here. */
const MAY_IMPORT = {
  protocol: [],
  common: ['protocol'],
  platform: ['common', 'protocol'],
  auth: GROUND,
  providers: GROUND,
  queue: ['auth', ...GROUND],
  conversations: ['queue', 'auth', ...GROUND],
  presence: ['conversations', 'auth', ...GROUND],
  typing: ['conversations', 'auth', ...GROUND],
  streaming: ['conversations', 'queue', 'providers', 'auth', ...GROUND],
  operations: [...FEATURES, ...GROUND],
  gateway: [...FEATURES, ...GROUND],
  app: ['gateway', 'operations', ...FEATURES, ...GROUND],
};

/** Folder of src/platform/ → the folders of src/platform/ that it may import besides itself. */
const PLATFORM_MAY_IMPORT = {
  config: [],
  validation: [],
  lifecycle: ['config'],
  tracing: ['config'],
  http: ['validation', 'tracing', 'config'],
  logging: ['http', 'tracing', 'config'],
  metrics: ['config'],
  limits: ['metrics', 'config'],
  relay: ['metrics'],
  database: ['metrics'],
};

const ROOMS = Object.keys(MAY_IMPORT).join('|');
const TESTS = '\\.test\\.ts$';
const CONTROLLERS = '\\.controller\\.ts$';
/** The only files that put the rooms together. */
const COMPOSITION = '^src/(main\\.ts$|app/)';
/** Services authorize a principal by the policy. Only edges turn tokens into principals. */
const PRINCIPAL = '^src/auth/(principal|policy)\\.ts$';
const npm = (...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})(/|$)`;

const layers = Object.entries(MAY_IMPORT).map(([room, others]) => ({
  name: `layer-${room}`,
  comment: `src/${room} may import ${others.join(', ') || 'nothing else of src'}.`,
  severity: 'error',
  from: { path: `^src/${room}/`, pathNot: TESTS },
  to: { path: '^src/', pathNot: `^src/(${[room, ...others].join('|')})/` },
}));

const platformLayers = Object.entries(PLATFORM_MAY_IMPORT).map(([folder, others]) => ({
  name: `layer-platform-${folder}`,
  comment: `src/platform/${folder} may import ${others.join(', ') || 'nothing else of src/platform'}.`,
  severity: 'error',
  from: { path: `^src/platform/${folder}/`, pathNot: TESTS },
  to: { path: '^src/platform/', pathNot: `^src/platform/(${[folder, ...others].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...layers,
    ...platformLayers,
    {
      name: 'unlisted-room',
      comment: 'A new folder of src/ is added to MAY_IMPORT first.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${ROOMS})/` },
      to: {},
    },
    {
      name: 'unlisted-platform-folder',
      comment: 'A new folder of src/platform/ is added to PLATFORM_MAY_IMPORT first.',
      severity: 'error',
      from: {
        path: '^src/platform/[^/]+/',
        pathNot: `^src/platform/(${Object.keys(PLATFORM_MAY_IMPORT).join('|')})/`,
      },
      to: {},
    },
    {
      name: 'no-cycles',
      comment: 'In ESM a cycle of Nest classes does not even boot.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'protocol-is-a-leaf',
      comment: 'Server, client and tests share the protocol: no framework, no Node.',
      severity: 'error',
      from: { path: '^src/protocol/', pathNot: TESTS },
      to: { pathNot: '^src/protocol/' },
    },
    {
      name: 'nobody-imports-the-composition',
      comment: 'main.ts and src/app put the rooms together; the rooms do not know them.',
      severity: 'error',
      from: { path: '^(src|migrations|bench)/', pathNot: COMPOSITION },
      to: { path: COMPOSITION },
    },
    {
      name: 'auth-for-the-edges',
      comment: 'Tokens end at the edges. Services get a principal and ask the policy.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['^src/(auth|gateway)/', CONTROLLERS, TESTS, COMPOSITION],
      },
      to: { path: '^src/auth/', pathNot: PRINCIPAL },
    },
    {
      name: 'principal-for-services',
      comment: 'Stores and the queue know user ids only.',
      severity: 'error',
      from: { path: ['^src/queue/', '\\.store\\.ts$'], pathNot: [TESTS, CONTROLLERS, '^src/auth/'] },
      to: { path: '^src/auth/' },
    },
    {
      name: 'sockets-in-the-gateway',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/gateway/' },
      to: { path: npm('socket\\.io', 'engine\\.io', '@nestjs/platform-socket\\.io', '@nestjs/websockets') },
    },
    {
      name: 'sql-in-stores',
      comment: 'SQL and TypeORM live in stores, entities, src/platform/database and migrations.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['\\.(store|entity)\\.ts$', '^src/platform/database/', COMPOSITION, TESTS],
      },
      to: { path: npm('typeorm', 'pg', 'pg-[^/]+') },
    },
    {
      name: 'rules-of-payloads',
      comment: 'A rule that platform/validation does not record would be an unknown key, without a schema.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/platform/validation/', TESTS] },
      to: { path: npm('class-validator', 'class-transformer') },
    },
    {
      name: 'src-without-tests',
      severity: 'error',
      from: { path: '^(src|migrations)/', pathNot: TESTS },
      to: { path: ['^(test|bench|scripts)/', TESTS, npm('vitest', '@nestjs/testing')] },
    },
    {
      name: 'src-without-dev-dependencies',
      comment: 'A production install has no development dependencies.',
      severity: 'error',
      from: { path: '^(src|migrations)/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'scripts-before-install',
      comment: 'Launchers run before anything is installed. They start the bundler as a program of its own.',
      severity: 'error',
      from: { path: '^scripts/', pathNot: '^scripts/lib/bundle\\.mjs$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'scripts-start-the-bundler',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { path: '^scripts/lib/bundle\\.mjs$' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      // What the launchers import from dist/ is there only after a build.
      to: { couldNotResolve: true, pathNot: '^(\\.\\./)?dist/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
