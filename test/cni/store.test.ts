import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Attachment } from '../../cni/attachment.ts';
import { AttachmentStore } from '../../cni/store.ts';
import { parseAddress } from '../../wire/address.ts';
import { compiled } from '../support/compiled.ts';
import { recordingLog } from '../support/log.ts';

let folder: string;
const journal = () => join(folder, 'attachments.journal');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const attachment = (id: string): Attachment => ({
  id,
  ifname: 'eth0',
  netns: `/run/netns/${id}`,
  namespace: { dev: 4, inode: 4026532000 },
  bootId: 'b',
  ips: [parseAddress('10.244.1.2'), parseAddress('fd00:244:1::2')],
  mtu: 1450,
  mac: '02:58:00:00:00:01',
  phase: 'ready',
});

function open() {
  const log = recordingLog();
  return { store: new AttachmentStore(folder, log), log };
}

async function reopened() {
  const { store, log } = open();
  await store.close();
  return { ids: store.all().map(({ id }) => id), log };
}

describe('AttachmentStore', () => {
  it('gives back what was put, in order, without what was removed', async () => {
    const { store } = open();
    await Promise.all(['a', 'b', 'c'].map((id) => store.put(attachment(id))));
    await store.put({ ...attachment('a'), mtu: 9000 });
    await store.remove(attachment('b'));
    await store.remove(attachment('b'));
    await store.close();
    const { store: next } = open();
    expect(next.all()).toEqual([attachment('c'), { ...attachment('a'), mtu: 9000 }]);
    expect(next.get({ id: 'c', ifname: 'eth0' })).toEqual(attachment('c'));
    expect(next.get({ id: 'b', ifname: 'eth0' })).toBeUndefined();
    await next.close();
  });

  it('is for root only, and has its folder to itself', async () => {
    const { store } = open();
    await store.put(attachment('a'));
    expect(statSync(journal()).mode & 0o777).toBe(0o600);
    expect(() => open()).toThrow(`in use by another weft node (process ${process.pid})`);
    await store.close();
    await open().store.close();
  });

  it('does not grow with history', async () => {
    const { store } = open();
    for (let round = 0; round < 120; round++) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.put({ ...attachment(`p${i}`), mtu: 1000 + round })),
      );
    }
    expect(readFileSync(journal(), 'utf8').split('\n').length).toBeLessThan(4096 + 51 + 50);
    await store.close();
    expect((await reopened()).ids).toHaveLength(50);
  });

  it('costs the same with 10,000 attachments as with none', async () => {
    const [empty, full] = ['empty', 'full'].map(
      (name) => new AttachmentStore(join(folder, name), recordingLog()),
    );
    await Promise.all(Array.from({ length: 10_000 }, (_, i) => full.put(attachment(`p${i}`))));
    await empty.put(attachment('first'));
    // In turn, so that what else the machine does is in both.
    const times = { empty: [] as number[], full: [] as number[] };
    for (let i = 0; i < 40; i++) {
      for (const [name, store] of Object.entries({ empty, full })) {
        const start = performance.now();
        await store.put(attachment(`timed-${i}`));
        times[name as keyof typeof times].push(performance.now() - start);
      }
    }
    const median = (samples: number[]) => samples.sort((a, b) => a - b)[20];
    expect(median(times.full)).toBeLessThan(3 * median(times.empty) + 0.5);
    await Promise.all([empty.close(), full.close()]);
  });

  it('says that the disk is full, and has everything that was written', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
    try {
      const { store } = open();
      await store.put(attachment('a'));
      writeFileSync(join(folder, 'filler'), Buffer.alloc(0));
      expect(() => appendFileSync(join(folder, 'filler'), Buffer.alloc(1 << 20))).toThrow('ENOSPC');
      const many = Array.from({ length: 40 }, (_, i) => attachment(`p${i}`));
      const results = await Promise.allSettled(many.map((one) => store.put(one)));
      expect(results).toContainEqual(expect.objectContaining({ status: 'rejected' }));
      rmSync(join(folder, 'filler'));
      await store.put(attachment('c'));
      const put = many.filter((_, i) => results[i].status === 'fulfilled');
      const expected = ['a', ...put.map(({ id }) => id), 'c'];
      expect(store.all().map(({ id }) => id)).toEqual(expected);
      await store.close();
      expect((await reopened()).ids).toEqual(expected);
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
  });
});

describe('a journal that a crash or a disk has damaged', () => {
  async function written() {
    const { store } = open();
    for (const id of ['a', 'b', 'c']) await store.put(attachment(id));
    await store.close();
    return readFileSync(journal());
  }

  it('cut short anywhere, has every line before the cut', async () => {
    const whole = await written();
    const ends = [...whole.toString().matchAll(/\n/g)].map((match) => (match.index ?? 0) + 1);
    for (let length = 0; length <= whole.length; length += 7) {
      writeFileSync(journal(), whole);
      truncateSync(journal(), length);
      const { ids, log } = await reopened();
      expect(ids).toHaveLength(ends.filter((end) => end <= length).length);
      expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    }
  });

  it('with any byte changed, loses at most the line of that byte, keeps the file aside and says so', async () => {
    const whole = await written();
    for (let at = 0; at < whole.length - 1; at += 11) {
      const bytes = Buffer.from(whole);
      bytes[at] ^= 0x55;
      writeFileSync(journal(), bytes);
      const { ids, log } = await reopened();
      // A line break that is gone joins two lines.
      expect(ids.length).toBeGreaterThanOrEqual(whole[at] === 10 ? 1 : 2);
      const [line] = log.lines.filter(({ level }) => level === 'error');
      expect(line.message).toMatch(/journal is damaged/);
      expect(readFileSync(line.fields.aside as string)).toEqual(bytes);
    }
  });

  it('is whole again after the next write', async () => {
    await written();
    appendFileSync(journal(), 'not a line\n{}\ngarbage without end');
    const { store } = open();
    await store.put(attachment('d'));
    await store.close();
    const { ids, log } = await reopened();
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
    expect(log.lines).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toHaveLength(1);
  });

  it('with a record that makes no sense, leaves that one out', async () => {
    const { store } = open();
    await store.put(attachment('a'));
    await store.put({ ...attachment('b'), mtu: 'large' as unknown as number });
    await store.close();
    const { ids, log } = await reopened();
    expect(ids).toEqual(['a']);
    expect(log.lines[0].message).toMatch(/does not make sense/);
  });
});

// Puts and removes without end, saying on stdout what the store has confirmed.
const WRITER = `
const { AttachmentStore } = await import(process.argv[1] + '/cni/store.js');
const log = { info() {}, warn() {}, error(fields, message) { console.log('error ' + message); } };
const store = new AttachmentStore(process.argv[2], log);
console.log('has ' + store.all().map(({ id }) => id).join(' '));
const record = (id) => ({ id, ifname: 'eth0', netns: '/x', namespace: { dev: 4, inode: 1 }, bootId: 'b', ips: [], mtu: 1450, mac: '', phase: ['creating', 'ready'][i % 2] });
const say = (line) => new Promise((resolve) => process.stdout.write(line + '\\n', resolve));
let i = store.all().length * 1000;
const lane = async (name) => {
  for (;;) {
    const id = name + '-' + process.pid + '-' + i++;
    await say('putting ' + id);
    await store.put(record(id));
    await say('put ' + id);
    if (i % 3) continue;
    await say('removing ' + id);
    await store.remove(record(id));
    await say('removed ' + id);
  }
};
await Promise.all(['x', 'y', 'z'].map(lane));
`;

describe('kill -9', () => {
  it('at any moment loses nothing that was confirmed, and brings back nothing that was removed', {
    timeout: 60_000,
  }, async () => {
    const code = compiled();
    const certain = new Set<string>();
    const open = new Set<string>();
    for (let round = 0; round < 25; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, code, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: child.stdout });
      let first: string | undefined;
      for await (const line of killedAfter(child, lines, 5 + round * 3)) {
        const [verb, ...ids] = line.split(' ');
        expect(verb).not.toBe('error');
        if (verb === 'has') {
          first = line;
          const there = new Set(ids.filter(Boolean));
          for (const id of certain) expect(there).toContain(id);
          for (const id of there) expect(certain.has(id) || open.has(id)).toBe(true);
          for (const id of open) if (there.has(id)) certain.add(id);
          open.clear();
        } else if (verb === 'putting') open.add(ids[0]);
        else if (verb === 'put') {
          open.delete(ids[0]);
          certain.add(ids[0]);
        } else if (verb === 'removing') {
          certain.delete(ids[0]);
          open.add(ids[0]);
        } else if (verb === 'removed') open.delete(ids[0]);
      }
      expect(first).toBeDefined();
    }
    expect(certain.size).toBeGreaterThan(20);
  });
});

/** The lines of a child that is killed some milliseconds after its first. */
async function* killedAfter(child: ChildProcess, lines: AsyncIterable<string>, milliseconds: number) {
  let started = false;
  for await (const line of lines) {
    if (!started) setTimeout(() => child.kill('SIGKILL'), milliseconds);
    started = true;
    yield line;
  }
}
