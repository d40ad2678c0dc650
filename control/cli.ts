/** Entry of `weft`, which bin/weft loads. */
import { run } from './program.ts';

process.exitCode = await run(process.argv.slice(2));
