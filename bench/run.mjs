import { launch, PrepareError, say } from '../scripts/lib/say.mjs';
import { prepare, ROOT } from '../scripts/lib/prepare.mjs';
import { capture } from '../scripts/lib/run.mjs';

/** Compiles the benchmark beside the built service; quick where nothing has changed. */
async function compile() {
  const { code, output } = await capture(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'bench'],
    { cwd: ROOT },
  );
  if (code === 0) return;
  say(output);
  throw new PrepareError('The benchmark does not compile. Mend what the compiler names above.');
}

await launch(async () => {
  await prepare({ dev: true });
  await compile();
});
// The name is computed: before the first build there is nothing that a type checker could resolve.
await import(new URL('../dist/bench/bench/main.js', import.meta.url).href);
