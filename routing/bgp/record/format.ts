/**
 * The file of a recorded session: a JSON array a line, so that any line can be read by itself. The first one says what the
 * session was at its beginning; then each input with its time, and behind it every call that it led to, with what the call
 * returned; the last one says why the recording ended, and what the session was then. Knows no session.
 *
 *    ["weft-bgp-session", 2, {peer, at, speaker, settings, state}]
 *    ["input", 1234.5, {"kind":"data","connection":2,"bytes":{"$bytes":"ffff…"}}]
 *    ["write", 2, {"$bytes":"ffff…"}]   ["pending", true]   ["take", 65536, […]]   ["wake", 31234.5]   …
 *    ["speaker", {…}]
 *    ["end", why, state]
 *    ["sha256", digest of the lines before]
 */
import { formatPrefix, type Prefix, parsePrefix } from '../../../wire/prefix.ts';
import { codecs, type Key } from '../codec/attributes.ts';
import type { ReceivedUpdate } from '../codec/update.ts';
import type { Speaker } from '../negotiate.ts';
import type { Input, SessionState } from '../session.ts';
import type { PeerSettings } from '../settings.ts';

export const MAGIC = 'weft-bgp-session';
/** 2: attributes in the order of their types, whatever it was in the message. */
export const VERSION = 2;

export interface Beginning {
  readonly peer: string;
  /** Of the recording, ISO 8601: times inside are of the speaker's own clock. */
  readonly at: string;
  readonly speaker: Speaker;
  /** Without what a session has no use for: policies, and what the password is. */
  readonly settings: PeerSettings;
  readonly state: SessionState;
}

export type Line =
  | readonly [typeof MAGIC, number, Beginning]
  | readonly ['input', number, Input]
  /** Who we are has changed. */
  | readonly ['speaker', Speaker]
  | readonly ['end', string, SessionState]
  | readonly ['sha256', string]
  | Call;

/** A call of a session to the world: its name, its arguments, and what it returned if it returns something. */
export type Call = readonly [CallName, ...unknown[]];

export const CALLS = [
  'connect',
  'write',
  'close',
  'wake',
  'random',
  'up',
  'down',
  'update',
  'refresh',
  'take',
  'pending',
] as const;
export type CallName = (typeof CALLS)[number];

/** A received UPDATE as a recording has it: complete, and the same whether its attributes were known before or not. */
export const asRecorded = ({ update, treatAsWithdraw, errors, kind, known }: ReceivedUpdate) => {
  const attributes = known?.attributes ?? update.attributes;
  const inOrder = Object.entries(attributes).sort(([a], [b]) => typeOf(a) - typeOf(b));
  return { kind, update: { ...update, attributes: Object.fromEntries(inOrder) }, treatAsWithdraw, errors };
};

/** Behind all others those that are not known. */
const typeOf = (name: string): number => codecs[name as Key]?.type ?? Number.POSITIVE_INFINITY;

/** Without its line feed. The same value is always the same text. */
export const formatLine = (line: Line): string => JSON.stringify(line, asText);

/** @throws SyntaxError */
export const parseLine = (text: string): Line => JSON.parse(text, fromText);

/** JSON has no bytes and no infinity, and prefixes are most of what there is. */
function asText(this: unknown, key: string, encoded: unknown): unknown {
  // As it was before Buffer.toJSON.
  const value = (this as Record<string, unknown>)[key];
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') };
  if (value === Number.POSITIVE_INFINITY) return { $infinity: true };
  if (isPrefix(value)) return { $prefix: formatPrefix(value) };
  return encoded;
}

const isPrefix = (value: unknown): value is Prefix => {
  if (typeof value !== 'object' || value === null) return false;
  const { address, length, ...rest } = value as { address?: { family?: unknown }; length?: unknown };
  return typeof length === 'number' && address?.family !== undefined && Object.keys(rest).length === 0;
};

const fromText = (_: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const { $bytes, $infinity, $prefix } = value as Record<string, unknown>;
  if (typeof $bytes === 'string') return Uint8Array.from(Buffer.from($bytes, 'hex'));
  if (typeof $prefix === 'string') return parsePrefix($prefix);
  return $infinity === true ? Number.POSITIVE_INFINITY : value;
};
