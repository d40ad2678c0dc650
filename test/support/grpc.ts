/**
 * gRPC calls that have one question and one answer, over a unix socket, with messages written as lists of fields: what a
 * test asks of containerd needs no compiler of interface definitions. Not a client for anything else.
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';

/** Number of the field and its value; several of one number repeat it. A number is an integer, a list a message. */
export type Field = readonly [number, string | number | Message];
export type Message = readonly Field[];

/** By number of the field: integers, and bytes that are text or messages. */
export type Decoded = ReadonlyMap<number, readonly (number | Buffer)[]>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
/** Whether it is compressed, and how long it is, precede a message. */
const PREFIX = 5;

/** Rejects with the server's message unless its status is 0. */
export async function callGrpc(socket: string, method: string, message: Message): Promise<Decoded> {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject);
      const stream = session.request({
        ':method': 'POST',
        ':path': `/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let trailers: Record<string, unknown> = {};
      const keep = (headers: Record<string, unknown>) => {
        trailers = { ...trailers, ...headers };
      };
      stream.on('response', keep); // Of a failure at once there are no others.
      stream.on('trailers', keep);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('error', reject);
      stream.once('end', () => {
        if (trailers['grpc-status'] === '0') return resolve(decode(Buffer.concat(chunks).subarray(PREFIX)));
        reject(new Error(`${method}: ${decodeURIComponent(String(trailers['grpc-message']))}`));
      });
      const body = encode(message);
      const prefix = Buffer.alloc(PREFIX);
      prefix.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([prefix, body]));
    });
  } finally {
    session.close();
  }
}

function encode(message: Message): Buffer {
  const parts = message.map(([number, value]) => {
    if (typeof value === 'number') return Buffer.concat([varint((number << 3) | VARINT), varint(value)]);
    const bytes = typeof value === 'string' ? Buffer.from(value) : encode(value);
    return Buffer.concat([varint((number << 3) | BYTES), varint(bytes.length), bytes]);
  });
  return Buffer.concat(parts);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

export function decode(bytes: Buffer): Decoded {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const integer = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  const slice = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = integer();
    const read = { [VARINT]: integer, [FIXED64]: () => slice(8), [FIXED32]: () => slice(4) }[tag & 7];
    const value = (tag & 7) === BYTES ? slice(integer()) : read?.();
    if (value === undefined) throw new Error(`protobuf: wire type ${tag & 7} at ${at}`);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

/** All messages of that field. */
export const messages = (from: Decoded, field: number): Decoded[] =>
  (from.get(field) ?? []).map((one) => decode(one as Buffer));
/** All texts of that field. */
export const texts = (from: Decoded, field: number): string[] => (from.get(field) ?? []).map(String);
