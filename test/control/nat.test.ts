import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Covered } from '../../control/covered.ts';
import { Nat, type NatRules, natTable } from '../../control/nat.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { enterNamespace, makeNamespace, type TestNamespace, until } from '../support/pod-namespace.ts';

let node: TestNamespace;
let leave: () => void;
let folder: string;
let nat: Nat;
let errors: unknown[];

beforeAll(() => {
  node = makeNamespace();
  leave = enterNamespace(node.path);
});
afterAll(() => {
  leave();
  node.delete();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-nat-'));
  errors = [];
  nat = new Nat({ hostInterface: 'weft0', folder, onError: (error) => errors.push(error) });
});
afterEach(async () => {
  await nat.close();
  execFileSync('nft', ['flush', 'ruleset']);
  rmSync(folder, { recursive: true });
});

type Item = Record<string, Record<string, unknown>>;
const ruleset = (): Item[] =>
  JSON.parse(execFileSync('nft', ['-j', 'list', 'ruleset'], { encoding: 'utf8' })).nftables;
const tables = () => ruleset().flatMap(({ table }) => (table ? [`${table.family} ${table.name}`] : []));
const set = (name: string) => ruleset().find((item) => item.set?.name === name)?.set.elem;
const prefix = (addr: string, len: number) => ({ prefix: { addr, len } });

const rules = (pods: string[], fabric: string[]): NatRules => ({
  outgoing: true,
  pods: pods.map(parsePrefix),
  fabric: { 4: fabric.filter((one) => !one.includes(':')), 6: fabric.filter((one) => one.includes(':')) },
});
const usual = rules(
  ['10.244.1.0/24', 'fd00:244:1::/64'],
  ['10.244.1.0/24', '10.244.2.0/24', 'fd00:244:1::/64'],
);

describe('Nat', () => {
  it('masquerades what pods send to outside the fabric, in a table of its own', async () => {
    await nat.apply(usual);
    expect(tables()).toEqual(['inet weft_nat_weft0']);
    expect(set('pods4')).toEqual([prefix('10.244.1.0', 24)]);
    expect(set('pods6')).toEqual([prefix('fd00:244:1::', 64)]);
    expect(set('fabric4')).toEqual([prefix('10.244.1.0', 24), prefix('10.244.2.0', 24)]);
    const chain = ruleset().find((item) => item.chain)?.chain;
    expect(chain).toMatchObject({
      name: 'postrouting',
      type: 'nat',
      hook: 'postrouting',
      prio: 100,
      policy: 'accept',
    });
    const text = execFileSync('nft', ['list', 'table', 'inet', 'weft_nat_weft0'], { encoding: 'utf8' });
    expect(text).toContain('ip saddr @pods4 ip daddr != @fabric4 oifname != "weft0" masquerade');
    expect(text).toContain('ip6 saddr @pods6 ip6 daddr != @fabric6 oifname != "weft0" masquerade');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes prefixes that overlap', async () => {
    const overlapping = [
      '10.1.2.0/24',
      '10.0.0.0/8',
      '10.1.2.3/32',
      '192.0.2.1/32',
      '10.1.0.0/16',
      '10.0.0.0/8',
    ];
    const covered = new Covered();
    for (const one of [...overlapping, 'fd00::/48', 'fd00::1/128']) covered.add(parsePrefix(one));
    await nat.apply({ ...rules(overlapping, []), fabric: await covered.ranges() });
    for (const name of ['pods4', 'fabric4']) expect(set(name)).toEqual([prefix('10.0.0.0', 8), '192.0.2.1']);
    expect(set('fabric6')).toEqual([prefix('fd00::', 48)]);
  });

  it('replaces its table whole, and never touches another', async () => {
    execFileSync('nft', ['add', 'table', 'inet', 'foreign']);
    execFileSync('nft', [
      'add',
      'chain',
      'inet',
      'foreign',
      'c',
      '{ type nat hook postrouting priority 50; }',
    ]);
    execFileSync('nft', ['add', 'table', 'ip', 'weft_nat_weft0']);
    const foreign = () =>
      ruleset().filter((item) => !JSON.stringify(item).includes('"inet", "table": "weft'));
    await nat.apply(usual);
    const before = JSON.stringify(
      foreign().filter(({ chain, table }) => chain?.table === 'foreign' || table?.name === 'foreign'),
    );
    await nat.apply(rules(['10.244.1.0/24'], ['10.244.1.0/24']));
    expect(set('pods6')).toBeUndefined();
    await nat.apply(undefined);
    expect(tables().sort()).toEqual(['inet foreign', 'ip weft_nat_weft0']);
    const after = JSON.stringify(
      foreign().filter(({ chain, table }) => chain?.table === 'foreign' || table?.name === 'foreign'),
    );
    expect(after).toBe(before);
  });

  it('replaces what an earlier daemon left, and removes nothing with ease', async () => {
    await nat.apply(undefined);
    await nat.apply(usual);
    const next = new Nat({ hostInterface: 'weft0', folder, onError: () => {} });
    await next.apply(rules(['10.9.0.0/16'], ['10.9.0.0/16']));
    expect(set('pods4')).toEqual([prefix('10.9.0.0', 16)]);
    await next.apply(undefined);
    expect(tables()).toEqual([]);
  });

  it('applies many changes once, the last of them', async () => {
    await nat.apply(usual);
    let asked = 0;
    for (let i = 1; i <= 50; i++) {
      nat.schedule(async () => {
        asked++;
        return rules(['10.244.1.0/24'], [`10.${i}.0.0/16`]);
      });
    }
    await until(
      () => JSON.stringify(set('fabric4')) === JSON.stringify([prefix('10.50.0.0', 16)]),
      'the new rules',
    );
    expect(asked).toBe(1);
    expect(errors).toEqual([]);
  });

  it('two host ports have two tables', () => {
    expect(natTable('weft0')).not.toBe(natTable('weft1'));
    expect(natTable('we.ft-0')).toMatch(/^\w+$/);
  });

  it('says which package to install when nft is missing, and how else to go on', async () => {
    const missing = new Nat({ hostInterface: 'weft0', folder, program: 'nft-not-there', onError: () => {} });
    await expect(missing.apply(usual)).rejects.toThrow(
      /Debian package 'nftables', or set host.natOutgoing: false/,
    );
  });

  it('says what nft does not like, and leaves the table as it was', async () => {
    await nat.apply(usual);
    const broken = new Nat({ hostInterface: 'a"b', folder, onError: () => {} });
    await expect(broken.apply(usual)).rejects.toThrow(/nft refused the table of Weft: .*Error/);
    expect(tables()).toEqual(['inet weft_nat_weft0']);
    expect(readdirSync(folder)).toEqual([]);
  });
});
