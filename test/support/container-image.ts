/** What the containers of tests run: one static busybox, as a folder and as an image in a file. No registry is asked. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const IMAGE = 'weft.test/busybox:1';
/** A file that every container serves at port 80, bytes. */
export const DATA_SIZE = 16 << 20;
const WWW = '/www';
/** A container that nothing stops any more ends by itself. Seconds. */
const LIFE = 900;

export interface ContainerImage {
  /** To be copied, one a container. */
  readonly rootFilesystem: string;
  /** As `docker save` writes it. */
  readonly archive: string;
  /** SHA-256 of the file that containers serve. */
  readonly digest: string;
}

/** Serves `/data`, and its name as `/name`. */
export const serverCommand = (name: string): string[] => [
  '/bin/busybox',
  'sh',
  '-c',
  `echo ${name} >${WWW}/name; exec /bin/busybox timeout ${LIFE} /bin/busybox httpd -f -p 80 -h ${WWW}`,
];
/** What a container does that has nothing to do. */
const IDLE = ['/bin/busybox', 'sleep', String(LIFE)];

export function makeImage(folder: string): ContainerImage {
  const rootFilesystem = join(folder, 'root');
  for (const name of ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp', WWW]) {
    mkdirSync(join(rootFilesystem, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(rootFilesystem, 'bin/busybox'));
  const data = randomBytes(DATA_SIZE);
  writeFileSync(join(rootFilesystem, WWW, 'data'), data);
  const layer = join(folder, 'layer.tar');
  execFileSync('tar', ['-C', rootFilesystem, '-cf', layer, '.']);
  const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
  const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(readFileSync(layer))}`] };
  const write = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content));
  write('config.json', { architecture, os: 'linux', config: { Cmd: IDLE }, rootfs });
  write('manifest.json', [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }]);
  const archive = join(folder, 'image.tar');
  execFileSync('tar', ['-C', folder, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar']);
  return { rootFilesystem, archive, digest: sha256(data) };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
