/**
 * The import arrows of the house: who may know whom. Type-only imports count.
 *
 *   gateway, controllers → streaming → conversations → queue → relay, database → metrics → config, common → protocol
 *
 * Presence, typing, the registry of connections and topics stand beside, on the relay. What is not listed here is forbidden.
 */
const LEAVES = ['lifecycle', 'config', 'common', 'protocol'];
/** Everybody counts what it does. */
const COUNTED = ['metrics', ...LEAVES];
const GROUND = ['relay', 'database', ...COUNTED];
const STORY = ['streaming', 'conversations', 'queue', 'providers', 'limits', ...GROUND];
const BESIDE = ['presence', 'typing', 'registry'];

/** Folder of src/ → the folders that it may import, beside itself. A new folder must be entered here. */
const MAY_IMPORT = {
  protocol: [],
  common: ['protocol'],
  config: ['protocol'],
  lifecycle: ['config', 'common', 'protocol'],
  // It has a listener of its own.
  metrics: ['http', ...LEAVES],
  limits: COUNTED,
  relay: COUNTED,
  database: COUNTED,
  auth: ['relay', 'limits', ...COUNTED],
  providers: COUNTED,
  logging: LEAVES,
  tracing: LEAVES,
  queue: GROUND,
  conversations: ['queue', ...GROUND],
  streaming: STORY,
  presence: GROUND,
  typing: GROUND,
  registry: GROUND,
  topics: GROUND,
  stats: [...STORY, ...BESIDE],
  pages: LEAVES,
  http: ['config', 'common', 'protocol'],
  doctor: ['providers', ...GROUND],
  health: [...STORY, ...BESIDE],
  gateway: [...STORY, ...BESIDE, 'topics', 'auth', 'stats', 'health', 'http'],
};

const FOLDERS = Object.keys(MAY_IMPORT).join('|');
const TESTS = '\\.test\\.ts$';
const CONTROLLERS = '\\.controller\\.ts$';
/** The only files that put the parts together. */
const COMPOSITION = '^src/(main|app\\.module|bootstrap[^/]*)\\.ts$';
/** Who asks, and what they may: what services decide by. How a token became a principal is nobody's business but the edges'. */
const PRINCIPAL = '^src/auth/(principal|policy)\\.ts$';
const npm = (...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})(/|$)`;

const layers = Object.entries(MAY_IMPORT).map(([folder, others]) => ({
  name: `layer-${folder}`,
  comment: `src/${folder} may import ${others.join(', ') || 'nothing else of src'}.`,
  severity: 'error',
  // Controllers are on the top story, wherever they lie; the rule for them stands below.
  from: { path: `^src/${folder}/`, pathNot: [TESTS, CONTROLLERS] },
  to: { path: '^src/', pathNot: [`^src/(${[folder, ...others].join('|')})/`, PRINCIPAL] },
}));

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'folder-without-a-place',
      comment: 'A new folder of src/ gets its place in MAY_IMPORT first.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${FOLDERS})/` },
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
      name: 'nobody-imports-the-gateway',
      comment: 'Below the gateway nobody knows what a socket is.',
      severity: 'error',
      from: { path: '^(src|migrations|bench)/', pathNot: ['^src/gateway/', COMPOSITION] },
      to: { path: '^src/gateway/' },
    },
    {
      name: 'nobody-imports-the-composition',
      comment: 'main.ts, app.module.ts and bootstrap*.ts put the parts together; the parts do not know them.',
      severity: 'error',
      from: { path: '^src/', pathNot: COMPOSITION },
      to: { path: COMPOSITION },
    },
    {
      name: 'auth-for-the-edges',
      comment: 'Tokens end at the edges; services get a principal, and ask the policy.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['^src/(auth|gateway)/', '^src/entities\\.ts$', CONTROLLERS, TESTS, COMPOSITION],
      },
      to: { path: '^src/auth/', pathNot: PRINCIPAL },
    },
    {
      name: 'principal-for-services',
      comment: 'What lies below conversations knows user ids only.',
      severity: 'error',
      from: {
        path: '^src/(protocol|config|common|relay|database|queue|providers)/',
        pathNot: [TESTS, CONTROLLERS],
      },
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
      comment: 'SQL and TypeORM live in stores, entities, src/database and migrations.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['\\.(store|entity)\\.ts$', '^src/database/', '^src/entities\\.ts$', COMPOSITION, TESTS],
      },
      to: { path: npm('typeorm', 'pg', 'pg-[^/]+') },
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
      comment: 'Launchers run before anything is installed.',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
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
