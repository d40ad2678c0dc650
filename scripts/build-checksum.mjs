// Compiles wire/checksum.wat into wire/checksum-wasm.ts. To be run after a change of the former:
//   node scripts/build-checksum.mjs
// Users need neither this nor wabt: the compiled bytes are part of the source. test/wire/checksum.test.ts compares.

import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../wire/checksum.wat', import.meta.url);
const target = new URL('../wire/checksum-wasm.ts', import.meta.url);

const { parseWat } = await wabt();
const { buffer } = parseWat('checksum.wat', readFileSync(source, 'utf8'), { simd: true }).toBinary({});
const lines = Buffer.from(buffer)
  .toString('base64')
  .match(/.{1,100}/g);
writeFileSync(
  target,
  `// Made from checksum.wat by scripts/build-checksum.mjs; do not edit.

/** The module's bytes, base64. It imports env.memory and exports sum(offset, length). */
export const CHECKSUM_WASM: string = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`,
);
