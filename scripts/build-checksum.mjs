// Compiles wire/checksum.wat to wire/checksum-wasm.ts. Run after changing the former: node scripts/build-checksum.mjs
// Users need neither this nor wabt: the compiled bytes are part of the source, and a test compares the two.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const path = (name) => fileURLToPath(new URL(`../wire/${name}`, import.meta.url));

export const compile = async () => {
  const { parseWat } = await wabt();
  const parsed = parseWat('checksum.wat', readFileSync(path('checksum.wat'), 'utf8'), { simd: true });
  return Buffer.from(parsed.toBinary({}).buffer).toString('base64');
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = (await compile()).match(/.{1,100}/g).map((line) => `  '${line}',`);
  writeFileSync(
    path('checksum-wasm.ts'),
    `// Made from checksum.wat by scripts/build-checksum.mjs; do not edit.\n\nexport const CHECKSUM_WASM: string = [\n${lines.join('\n')}\n].join('');\n`,
  );
}
